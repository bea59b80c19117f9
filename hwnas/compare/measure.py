"""Networks of a run and known ones, timed against each other on this device."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from hwnas.compare import paper
from hwnas.onnx.writer import write_onnx
from profilers.base import Options, Profiler, Session, TimingPlan
from profilers.errors import BadInput, MeasurementFailed
from profilers.interruption import leaving
from profilers.progress import track
from profilers.rank_correlation import spearman
from profilers.timing import plans
from profilers.timing.conditions import merged
from profilers.timing.fingerprint import Fingerprint, fingerprint
from profilers.timing.measurement import MeasuredGroup, Measurement, Measuring, measuring
from profilers.timing.percentiles import SHARES
from profilers.timing.ties import Place, places

if TYPE_CHECKING:
    from hwnas.compare.known import Known
    from hwnas.search.archive import Evaluation
    from hwnas.search.objectives import Objective
    from hwnas.space import SearchSpace

OURS = "this search"
MEASURED = ("ms", "low", "high", "state", "estimator")
FEWEST = 3  # networks that a rank correlation needs


@dataclass(frozen=True)
class Row:
    """One network: what was measured here, or None and `failed` says why; the rest counted or imported.

    `source` is "this search", "torchvision", "timm" or "given"; `top1` of this search's data (%), `imagenet_top1` as
    stated by the source, never beside `predicted_top1`, a predictor's; `top1_low`, `top1_high` Wilson's over `images`;
    `published_…` are torchvision's counts, `paper_…` those of the paper's Table 3.
    """

    name: str
    source: str
    size: int
    params: int
    madds: int
    measured: Measurement | None = None
    failed: str = ""
    predicted_ms: float | None = None
    top1: float | None = None
    imagenet_top1: float | None = None
    published_params: int | None = None
    published_madds: int | None = None
    native_size: int | None = None
    paper_cpu_ms: float | None = None
    top1_low: float | None = None
    top1_high: float | None = None
    images: int | None = None
    predicted_top1: float | None = None
    remark: str = ""

    @property
    def ms(self) -> float | None:
        """Measured milliseconds, None where it failed."""
        return None if self.measured is None else self.measured.ms

    def to_json(self) -> dict[str, Any]:
        """JSON's types only; of the measurement what `MEASURED` names, each None where it failed."""
        names = [name for f in fields(self) for name in (MEASURED if f.name == "measured" else (f.name,))]
        return {name: getattr(self.measured if name in MEASURED else self, name, None) for name in names} | self.tails()

    def tails(self) -> dict[str, float | None]:
        """p90 and p99 of single runs in ms; None where it failed or had too few runs."""
        found = {} if self.measured is None else self.measured.percentiles()
        return {name: found[name].ms if name in found else None for name in SHARES}


@dataclass(frozen=True)
class Comparison:
    """All rows, fastest first, where and how they were measured, and the agreement with the paper's device.

    `spearman` is the rank correlation over the `shared` networks, None for fewer than three.
    """

    rows: tuple[Row, ...]
    fingerprint: Fingerprint
    clock: str
    spearman: float | None
    shared: int

    @cached_property
    def places(self) -> list[Place | None]:
        """Of each row's latency, ties included; None where it failed."""
        known = [row.measured for row in self.rows if row.measured is not None]
        found = iter(places(known))
        return [None if row.measured is None else next(found) for row in self.rows]

    def speed(self, row: int) -> dict[str, Any]:
        """Rank by latency, whether others tie with it, and images a second."""
        place, ms = self.places[row], self.rows[row].ms
        rate = None if not ms else 1e3 * self.fingerprint.batch / ms
        return {"rank": place and place.rank, "tie": place and place.tied, "images_s": rate}

    @property
    def remarks(self) -> list[str]:
        """What disturbed the measurement, as the device's sensors say."""
        return merged([row.measured.conditions for row in self.rows if row.measured is not None]).remarks()

    def to_json(self) -> dict[str, Any]:
        """JSON's types only."""
        agreement = {"device": paper.DEVICE, "spearman": self.spearman, "networks": self.shared}
        return {
            "networks": [row.to_json() | self.speed(i) for i, row in enumerate(self.rows)],
            "paper": agreement,
            "clock": self.clock,
            "fingerprint": self.fingerprint.to_json(),
        }


def of_search(
    space: SearchSpace, evaluation: Evaluation, predicted: float | None, batch: int, top1: Objective
) -> tuple[Row, bytes]:
    """A network of the run, with random weights; `top1` says how its accuracy was obtained."""
    layers = space.layers(evaluation.arch)
    params, madds = sum(x.params for x in layers), sum(x.madds for x in layers)
    value, arch = evaluation.objectives.get("top1"), evaluation.arch
    row = Row(arch.id, OURS, arch.r, params, madds, predicted_ms=predicted, remark=top1.note)
    if top1.status == "predicted":
        row = replace(row, predicted_top1=value)
    else:
        low, high = evaluation.top1_interval or (None, None)
        row = replace(row, top1=value, top1_low=low, top1_high=high, images=evaluation.images)
    return row, write_onnx(layers, batch=batch)


def of_known(known: Known) -> tuple[Row, bytes]:
    """A known network."""
    published, printed = known.published, paper.TABLE.get(known.name)
    row = Row(
        known.name,
        known.source,
        known.size,
        known.counts.params,
        known.counts.madds,
        imagenet_top1=known.top1,
        published_params=published and published.params,
        published_madds=published and published.madds,
        native_size=known.native,
        paper_cpu_ms=printed and printed.cpu_ms,
    )
    return row, known.model


def measure(
    networks: Sequence[tuple[Row, bytes]], profiler: Profiler, options: Options, plan: TimingPlan = plans.COMPARE
) -> Comparison:
    """Time all networks in one interleaved run; one that fails keeps its row, with the reason.

    Args:
        networks: rows and their ONNX models, of `options.batch`.
        profiler: the runtime.
        options: batch, threads, precision; int8 is not for models that arrive in float32.
        plan: of the timing.

    Raises:
        BadInput: no network, two of one name, int8, or a precision that the runtime has not.
        EngineUnavailable: it does not work here. MeasurementFailed: no network could be timed.
    """
    names = [row.name for row, _ in networks]
    if not names or len(set(names)) < len(names) or options.precision == "int8":
        got = f"networks {', '.join(names) or 'none'} in {options.precision}"
        raise BadInput(got, "one or more, each once, in a precision that is not int8")
    with leaving(str), measuring(options, place=profiler.place) as bench:
        group, failed = bench.place.unit(lambda: _timed(networks, profiler, options, plan, bench))
    if not group.measured:
        raise MeasurementFailed(f"no network could be timed: {next(iter(failed.values()))}")
    found = [
        replace(row, measured=group.measured.get(row.name), failed=failed.get(row.name, "")) for row, _ in networks
    ]
    rows = sorted(found, key=lambda row: row.ms or float("inf"))
    clocks = {m.clock for m in group.measured.values()}
    return Comparison(tuple(rows), fingerprint(profiler, options), " and ".join(sorted(clocks)), *agreement(rows))


def _timed(
    networks: Sequence[tuple[Row, bytes]], profiler: Profiler, options: Options, plan: TimingPlan, bench: Measuring
) -> tuple[MeasuredGroup, dict[str, str]]:
    """All that can be loaded, against each other; and by name why the others could not be timed."""
    with ExitStack() as stack:
        loaded = {row.name: _load(model, profiler, options, stack) for row, model in networks}
        sessions = {name: session for name, session in loaded.items() if isinstance(session, Session)}
        with track(len(sessions), "timing networks") as bar:
            group = bench.time(sessions, plan, progress=bar)
    return group, {name: reason for name, reason in loaded.items() if isinstance(reason, str)} | group.failed


def _load(model: bytes, profiler: Profiler, options: Options, stack: ExitStack) -> Session | str:
    """A network that the runtime refuses, for the reason given, does not stop the others."""
    try:
        return stack.enter_context(profiler.load(model, options))
    except BadInput as error:
        if options.precision not in profiler.precisions:
            raise
        return str(error)


def agreement(rows: Sequence[Row]) -> tuple[float | None, int]:
    """Spearman's rank correlation of `ms` with the paper's, and over how many networks."""
    pairs = [(row.ms, row.paper_cpu_ms) for row in rows if row.ms is not None and row.paper_cpu_ms is not None]
    if len(pairs) < FEWEST:
        return None, len(pairs)
    return spearman(*zip(*pairs, strict=True)), len(pairs)
