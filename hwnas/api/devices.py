"""A device: a runtime, of this machine or another, with the settings that networks are run with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from hwnas.api.display import Printable, facts, table
from hwnas.api.measured import MeasuredNetworks
from hwnas.api.network import Network, of_a_space
from hwnas.api.profiling import profile
from hwnas.api.spaces import Resolutions, space_of
from hwnas.api.tables import LatencyTable
from hwnas.space import Architecture, SearchSpace
from profilers.base import STEADY, Options, Profiler, Status
from profilers.devices.hosts import place_at, profiler_at, profilers_at
from profilers.errors import BadInput
from profilers.registry import PROFILERS, describe, describe_profiler, get_profiler
from profilers.timing.fingerprint import cpu_model

if TYPE_CHECKING:
    from torch import nn

    from hwnas.profile.result import Profile
    from lut.build.bench import Workbench
    from lut.build.schedule import BuildPlan


@dataclass(frozen=True, repr=False)
class Device(Printable):
    """A runtime on this machine or another, and how it runs networks.

    Args:
        engine: a runtime of `hwnas.engines()`, or `python:module:Class`, a runtime of your own.
        threads: of the runtime.
        precision: that it computes in: fp32, bf16, fp16 or int8.
        batch: images a run.
        optimization: level of graph optimization in the runtime's own words; by default its best.
        state: of the caches: "steady", as benchmark tools measure, or "interrupted", as an application sees that
            classifies one picture now and then.
        host: the machine, as in "ssh://me@board" or "ssh://me@board:2222?python=/opt/venv/bin/python", which needs
            Python 3.9, numpy and the runtime; by default this one.

    Raises:
        BadInput: an unknown runtime, settings that no runtime has, or a host that is no address. What is at a host is
            asked when it is needed: DeviceUnreachable then, with the reason.

    Example:
        >>> import hwnas
        >>> cpu = hwnas.Device("onnxruntime", threads=1)
        >>> cpu.status.available
        True
    """

    engine: str = "onnxruntime"
    threads: int = 1
    precision: str = "fp32"
    batch: int = 1
    optimization: str = ""
    state: str = STEADY
    host: str = ""

    def __post_init__(self) -> None:
        if self.host:
            place_at(self.host)
        else:
            object.__setattr__(self, "engine", get_profiler(self.engine).name)
        _ = self.options

    @property
    def options(self) -> Options:
        """The settings, as part of a table's identity."""
        return Options(self.threads, self.precision, self.batch, self.optimization, self.state)

    @property
    def profiler(self) -> Profiler:
        """The runtime, where it is."""
        return profiler_at(self.host, self.engine)

    @property
    def status(self) -> Status:
        """Whether the runtime works here, or why not and what would mend it."""
        return self.profiler.status()

    def profile(
        self,
        model: str | Path | bytes | nn.Module,
        *,
        shapes: Mapping[str, Sequence[int]] | None = None,
        inputs: Any = None,
        html: Path | str | None = None,
    ) -> Profile:
        """Measure any model, end to end and by layer; arguments as of `hwnas.profile`."""
        (found,) = profile(
            model, engine=self.engine, precision=self.precision, batch=self.batch, threads=self.threads,
            shapes=shapes, inputs=inputs, state=self.state, host=self.host, html=html,
        )  # fmt: skip
        return found

    def build_table(
        self,
        space: str | SearchSpace = "mbv3",
        out: Path | str = "table.json",
        *,
        resolutions: Resolutions = None,
        classes: int | None = None,
        method: str = "in-context",
        budget_seconds: float | None = None,
        seed: int = 0,
        resume: bool = True,
        fresh: bool = False,
        force: bool = False,
    ) -> LatencyTable:
        """Measure a latency table of a space; one that was interrupted is continued, one that is there is kept.

        Args:
            space: a name, a path to a space's TOML, `python:module:NAME`, or a `SearchSpace`.
            out: the table's file.
            resolutions: other ones than the space's.
            classes: another number than the space's; a table serves any number.
            method: "in-context", or "isolated" where a runtime has no per-node times.
            budget_seconds: soft limit on the measuring time.
            seed: of the networks that are measured.
            resume: False to refuse a table, or a part of one, that is there.
            fresh: build anew, in place of whatever table is there.
            force: the former name of `fresh`.

        Raises:
            FingerprintMismatch: a table, or a part of one, of another device or setting is there.
            EngineUnavailable: the runtime does not work here. MeasurementFailed: layers that could not be timed.
        """
        from lut.build.pipeline import build

        plan = plan_of(budget_seconds, seed)
        workbench = self._workbench(space_of(space, resolutions, classes))
        found = build(workbench, out=Path(out), method=method, plan=plan, resume=resume, fresh=fresh or force)
        return LatencyTable(found, out, host=self.host)

    def measure(
        self, networks: Sequence[Network], out: Path | str | None = None, *, fresh: bool = False
    ) -> MeasuredNetworks:
        """Measure networks end to end, against each other.

        Args:
            networks: of one space.
            out: a file for the lines; one that has these networks measured in this way is kept.
            fresh: measure anew, in place of what the file has.

        Raises:
            BadInput: no network, or networks of several spaces. MeasurementFailed: most could not be timed.
            FingerprintMismatch: the file has other networks, or measured in another way.
        """
        from lut.build.end_to_end import measure

        space, archs = _of_one_space(networks)
        about = {
            "engine": self.engine, "precision": self.precision, "batch": self.batch, "threads": self.threads,
            "device": self.host or self.profiler.device_name() or cpu_model(),
        }  # fmt: skip
        wanted = {**about, "state": self.state}
        if out is not None and (there := MeasuredNetworks.there(Path(out), space, archs, wanted, fresh=fresh)):
            return there
        found = MeasuredNetworks.of(space, archs, measure(self._workbench(space), archs), about)
        if out is not None:
            found.save(out)
        return found

    def write_bundle(self, networks: Sequence[Network], folder: Path | str) -> list[Path]:
        """Write what measures networks on a machine that has only the runtime, Python and numpy; returns the files."""
        from lut.build.end_to_end import write_bundle

        space, archs = _of_one_space(networks)
        return write_bundle(Path(folder), self._workbench(space), archs)

    def _workbench(self, space: SearchSpace) -> Workbench:
        from hwnas.onnx.writer import write_onnx
        from lut.build.bench import Workbench

        return Workbench(space, write_onnx, self.profiler, self.options)

    def table(self) -> Table:
        """See `Printable`."""
        status, settings = self.status, ("threads", "precision", "batch", "state")
        rows = [("works here", "yes" if status.available else f"no: {status.reason}"), ("version", status.version)]
        rows += [(name, str(getattr(self, name))) for name in settings]
        return facts(f"Device {self.engine}{f' on {self.host}' if self.host else ''}", rows)


def plan_of(budget_seconds: float | None, seed: int) -> BuildPlan:
    """How much is measured; BadInput for no time at all."""
    from lut.build.schedule import BuildPlan

    if budget_seconds is None:
        return BuildPlan(seed=seed)
    if budget_seconds <= 0:
        raise BadInput(f"budget_seconds = {budget_seconds:g}", "more than 0")
    return BuildPlan(seed=seed, budget_seconds=budget_seconds)


class Engines(Printable):
    """All runtimes, with what each can do here: an object a runtime in `rows`."""

    def __init__(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self.rows = [dict(row) for row in rows]

    def __iter__(self) -> Any:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def lines(self) -> list[str]:
        """What each can do here, or why it cannot and what would fix it."""
        return [_what(row) for row in self.rows]

    def table(self) -> Table:
        """See `Printable`."""
        here = ("yes" if row["available"] else "no" for row in self.rows)
        cells = list(zip((row["engine"] for row in self.rows), here, self.lines, strict=True))
        return table("Engines", ("engine", "works", "what"), rows=cells)


def engines(*names: str, host: str = "") -> Engines:
    """What can be measured and built here, and for the rest: why not, and what would fix it.

    Args:
        names: of runtimes, or `python:module:Class`; by default all that there are.
        host: another machine than this one, as in "ssh://me@board".

    Example:
        >>> import hwnas
        >>> "onnxruntime" in [row["engine"] for row in hwnas.engines()]
        True
    """
    if host:
        return Engines([describe_profiler(profiler) for profiler in profilers_at(host, *names)])
    return Engines([describe(name) for name in names or PROFILERS])


def _what(row: Mapping[str, Any]) -> str:
    if not row["available"]:
        return f"{row['reason']}" + (f"; try: {row['remedy']}" if row["remedy"] else "")
    note = f"; {row['reason']}" if row["reason"] else ""
    return f"{row['version']}  ({row['device']}: {', '.join(row['precisions'])}{note})"


def _of_one_space(networks: Sequence[Network]) -> tuple[SearchSpace, list[Architecture]]:
    """BadInput: no network, or networks of several spaces."""
    found = [of_a_space(network, "this device's measurement") for network in networks]
    if not found:
        raise BadInput("no network to measure", "one or more")
    if len({(space.signature, space.classes) for space, _ in found}) > 1:
        raise BadInput("networks of several spaces or numbers of classes", "networks of one space")
    space = found[0][0]
    sizes = tuple(sorted({arch.r for _, arch in found}))
    return space_of(space, sizes), [arch for _, arch in found]
