"""Networks with the latency that was measured of each, from a device or from a file of lines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from hwnas.api.display import Printable, table
from hwnas.api.network import Network
from hwnas.api.spaces import Resolutions, pixels
from hwnas.ofa.network_files import read_networks
from hwnas.space import Architecture, SearchSpace
from hwnas.space.arch_lines import stated
from profilers.base import STATES, STEADY
from profilers.constraints import LEAST_MS, MOST_MS
from profilers.errors import BadInput, shown
from profilers.files import parse_json, read_text, write_text
from profilers.outputs import changes, different, foreign, kept
from profilers.progress import say
from profilers.timing.measurement import MeasuredGroup, Measurement

_KEPT = ("low", "high", "clock", "state", "estimator")


class MeasuredNetworks(Printable):
    """Networks of one space, their latencies in milliseconds, and how these were measured.

    `state` and `estimator` are what all have in common ("" where nothing is stated); `failed` gives, by the network's
    place counted from 1, why it could not be timed.

    Example:
        >>> import hwnas
        >>> networks = hwnas.Networks.sample("tiny", n=2, resolutions=[12])
        >>> found = hwnas.Device("fake").measure(networks)
        >>> found.save("measured.jsonl").name, len(found.latencies), found.state
        ('measured.jsonl', 2, 'steady')
        >>> hwnas.MeasuredNetworks.read("measured.jsonl").latencies == found.latencies
        True
    """

    def __init__(
        self,
        space: SearchSpace,
        archs: Sequence[Architecture],
        rows: Sequence[Mapping[str, Any]],
        failed: Mapping[int, str] | None = None,
    ) -> None:
        self.space, self.archs, self.rows = space, list(archs), [dict(row) for row in rows]
        self.failed = dict(failed or {})
        self.where = [str(row.get("where", f"network {i}")) for i, row in enumerate(self.rows, 1)]

    @classmethod
    def read(
        cls,
        path: Path | str,
        space: str | None = None,
        *,
        resolutions: Resolutions = None,
        classes: int | None = None,
        expected: SearchSpace | None = None,
    ) -> MeasuredNetworks:
        """Lines {"arch": …, "latency_ms": …} of a file; the rest as of `Networks.read`.

        Raises:
            BadInput: which line is wrong and why. FileProblem: the file cannot be read.
        """
        file = Path(path)
        chosen, archs = read_networks(file, space=space, sizes=pixels(resolutions), classes=classes, expected=expected)
        return cls(chosen, archs, [{**row, "where": where} for where, row in _lines(file)])

    @classmethod
    def of(cls, space: SearchSpace, archs: Sequence[Architecture], group: MeasuredGroup, about: Mapping[str, Any]
           ) -> MeasuredNetworks:  # fmt: skip
        """Of what was measured; networks that could not be timed are left out, with the reason in `failed`."""
        done = [arch for arch in archs if arch.id in group.measured]
        rows = [{**stated(arch, space), **_latency(group.measured[arch.id]), **about} for arch in done]
        failed = {i: group.failed[arch.id] for i, arch in enumerate(archs, 1) if arch.id in group.failed}
        return cls(space, done, rows, failed)

    @property
    def networks(self) -> list[Network]:
        """The networks, in order."""
        return [Network.of(self.space, arch) for arch in self.archs]

    @property
    def latencies(self) -> list[float]:
        """Milliseconds; BadInput names the line without one."""
        return [_milliseconds(row, where) for row, where in zip(self.rows, self.where, strict=True)]

    @property
    def state(self) -> str:
        """That all lines name, `steady` where none does, as other tools measure; BadInput where they differ."""
        states = {str(row.get("state", STEADY)) for row in self.rows}
        if len(states) > 1 or not states <= set(STATES):
            raise BadInput(f"networks measured in the states {', '.join(sorted(states))}", ", or ".join(STATES))
        return states.pop() if states else STEADY

    @property
    def estimator(self) -> str:
        """How a latency was estimated, "" where no line says it; BadInput where they differ."""
        found = sorted({str(row.get("estimator", "")) for row in self.rows})
        if len(found) > 1:
            names = "; ".join(name or "none stated" for name in found)
            got, allowed = f"networks measured by different estimators ({names})", "one, so that all are one quantity"
            raise BadInput(got, allowed, "measure all with hwnas lut measure")
        return found[0] if found else ""

    @classmethod
    def there(cls, path: Path, space: SearchSpace, archs: Sequence[Architecture], about: Mapping[str, Any], *,
              fresh: bool = False) -> MeasuredNetworks | None:  # fmt: skip
        """Of the file at `path`, if it has these networks measured in that way; None where it is to be measured.

        Networks that could not be timed are missing in a file; then all are measured again.

        Raises:
            FingerprintMismatch: other networks, or measured in another way. BadInput: the file is something else.
        """
        if not path.exists():
            return None
        rows = [row for _, row in _lines(path)]
        names = ("latency_ms", "arch")
        if not all(name in row for row in rows for name in names):
            raise foreign(path, "networks that hwnas lut measure has measured, or nothing")
        if fresh:
            return None
        wanted, known = _keys(stated(arch, space) for arch in archs), _keys(rows)
        differ = [line for row in rows[:1] for line in changes({name: row.get(name) for name in about}, about)]
        if other := len({*known} - {*wanted}):
            differ.append(f"{other} other networks")
        if differ:
            raise different(path, differ)
        if known != wanted:
            return None
        say(kept(path, "a measurement"))
        return cls(space, archs, rows)

    def save(self, path: Path | str) -> Path:
        """Write them, a JSON object a line."""
        write_text(Path(path), "".join(json.dumps(row) + "\n" for row in self.rows))
        return Path(path)

    @property
    def remarks(self) -> Sequence[str]:
        """Networks that could not be timed."""
        return [f"network {number}: {reason}" for number, reason in self.failed.items()]

    def table(self) -> Table:
        """See `Printable`."""
        rows = [
            (arch.id, f"{row['latency_ms']:.4g}", _interval(row))
            for arch, row in zip(self.archs, self.rows, strict=True)
        ]
        return table("Measured networks", ("id", "ms", "95 % interval"), rows=rows)


def _keys(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Which networks lines are of, in order."""
    return [json.dumps([row.get(name) for name in ("space", "classes", "arch")], sort_keys=True) for row in rows]


def _latency(found: Measurement) -> dict[str, Any]:
    """A measurement as a line of networks says it."""
    return {"latency_ms": found.ms} | {name: getattr(found, name) for name in _KEPT}


def _interval(row: Mapping[str, Any]) -> str:
    return f"{row['low']:.4g} to {row['high']:.4g}" if "low" in row and "high" in row else "-"


def _milliseconds(row: Mapping[str, Any], where: str) -> float:
    ms = row.get("latency_ms")
    if isinstance(ms, bool) or not isinstance(ms, int | float):
        got = f"{where}: latency_ms is {shown(ms)}" if "latency_ms" in row else f"{where} lacks latency_ms"
        raise BadInput(got, "milliseconds")
    if not LEAST_MS <= ms <= MOST_MS:
        raise BadInput(f"{where}: latency_ms is {shown(ms)}", f"{LEAST_MS:g} to {MOST_MS:g} milliseconds")
    return float(ms)


def _lines(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """(where, object) of each line; BadInput for a line that is not an object."""
    found = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if line.strip():
            where = f"{path}, line {number}"
            value = parse_json(line, where)
            if not isinstance(value, dict):
                raise BadInput(f"{where} is {line.strip()[:40]}", "a JSON object")
            found.append((where, value))
    return found
