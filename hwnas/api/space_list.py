"""Which search spaces there are, and what their networks and training cost on this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from rich.table import Table

from hwnas.api.display import Printable, table
from hwnas.onnx.writer import write_onnx
from hwnas.space import SPACES, SearchSpace, get_space
from profilers.base import Options, TimingPlan
from profilers.errors import EngineUnavailable, HwnasError
from profilers.registry import get_profiler
from profilers.timing.measurement import measuring

ENGINE = "onnxruntime"
PLAN = TimingPlan(min_rounds=5, max_rounds=8, runs_per_block=2, relative_interval=0.1, warmup_runs=2, seconds=8)
BATCH = 64  # images of the step of training that is timed
HEADER = ("space", "channels", "px", "networks", "params M", "ms here", "training step s")


class Spaces(Printable):
    """Rows of facts, one a space: name, channels, resolutions, size, params, ms and step_seconds; `notes` say how."""

    def __init__(self, rows: Sequence[dict[str, Any]], notes: Sequence[str]) -> None:
        self.rows, self.notes = list(rows), list(notes)

    def to_json(self) -> list[dict[str, Any]]:
        """The rows."""
        return self.rows

    @property
    def remarks(self) -> Sequence[str]:
        """See `Printable`."""
        return self.notes

    def table(self) -> Table:
        """See `Printable`."""
        return table("Search spaces", HEADER, rows=[_cells(row) for row in self.rows])


def spaces(names: Sequence[str] = (), *, measure: bool = True, training: bool = False) -> Spaces:
    """Search spaces with their channels, resolutions, size, params, and ms and training on this machine.

    Args:
        names: those of `get_space`; by default all that are built in or installed.
        measure: time the smallest and the largest network, shortly, on ONNX Runtime with one thread.
        training: estimate a step of training of the largest network, from a few that are timed.

    Raises:
        BadInput: an unknown space.

    Example:
        >>> import hwnas
        >>> found = hwnas.spaces(["small"], measure=False)
        >>> found.rows[0]["channels"], found.rows[0]["params"], found.rows[0]["ms"]
        (3, [142770, 756002], None)
    """
    chosen = {name: get_space(name) for name in names or SPACES}
    times, note = _measured(chosen) if measure else ({}, "ms not measured")
    notes = [f"params, ms: smallest and largest network; {note}"]
    if training:
        notes.append(f"training step: estimated from a few timed ones, {BATCH} images, largest network, middle size")
    rows = [
        {**_counted(name, space), "ms": times.get(name), "step_seconds": _step(space) if training else None}
        for name, space in chosen.items()
    ]
    return Spaces(rows, notes)


def _counted(name: str, space: SearchSpace) -> dict[str, Any]:
    params = [sum(layer.params for layer in space.layers(arch)) for arch in space.extremes()]
    first = {"space": name, "channels": space.in_channels, "classes": space.classes}
    return {**first, "resolutions": list(space.resolutions), "size": space.size, "params": params}


def _measured(chosen: Mapping[str, SearchSpace]) -> tuple[dict[str, list[float]], str]:
    """Milliseconds by space, of both extremes, and how they were measured or why not."""
    profiler, options = get_profiler(ENGINE), Options()
    if not (status := profiler.status()).available:
        return {}, f"ms not measured: {status.reason}"
    try:
        with measuring(options) as bench, ExitStack() as stack:
            sessions = {
                f"{name} {which}": stack.enter_context(profiler.load(write_onnx(space.layers(arch)), options))
                for name, space in chosen.items()
                for which, arch in zip(("smallest", "largest"), space.extremes(), strict=True)
            }
            found = bench.time(sessions, PLAN).measured
    except EngineUnavailable as error:
        return {}, f"ms not measured: {error}"
    pairs = {name: [found.get(f"{name} {which}") for which in ("smallest", "largest")] for name in chosen}
    times = {name: [m.ms for m in pair if m is not None] for name, pair in pairs.items()}
    return {k: v for k, v in times.items() if len(v) == 2}, f"ms measured shortly, {ENGINE}, one thread, batch 1"


def _step(space: SearchSpace) -> float | None:
    from hwnas.train.pace import step_seconds

    try:
        return round(step_seconds(space, BATCH), 3)
    except (HwnasError, MemoryError):
        return None


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    sizes, ms, step = row["resolutions"], row["ms"], row["step_seconds"]
    return (
        row["space"],
        str(row["channels"]),
        f"{sizes[0]} to {sizes[-1]}",
        f"{row['size']:.1e}",
        " to ".join(f"{n / 1e6:.3g}" for n in row["params"]),
        "-" if ms is None else " to ".join(f"{x:.3g}" for x in ms),
        "-" if step is None else f"{step:.3g}",
    )
