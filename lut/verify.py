"""Checking a table against fresh random networks, measured end to end by the loop and the estimator that made it.

    a, b  (n,) measured twice, ms      y = (a + b) / 2      p  (n,) predicted, ms      z (m,) by a plain loop, ms

Every network is loaded and timed in two passes, since each loading lies differently in memory; the noise floor is what
measuring twice gives: the same figures for a against b. `coverage` is of a and b, since the interval is for a network
loaded once. What the sentinels show of the machine's speed against the build is divided out of y; `speed_change` says
how much it was, and `..._as_run` are the figures without that. `noise_floor_rounds_mape` compares even and odd rounds
of the same loadings. `fresh_process_ratio` is the independent view: z over what was measured here of the same networks,
as run, each z alone in a process of its own by a plain loop of the runtime's API
(`profilers.timing.plain_loop`), whose 5 % quantile it is.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lut.build.bench import TOGETHER, Bench, Timed, open_bench, require, sentinel_archs
from lut.build.control_drift import drifts
from lut.build.records import halves
from lut.protocols import Floats, Genes, Space, Writer
from lut.table.fields import number
from lut.table.table import Estimate, LatencyTable
from profilers.base import MIN_BLOCKS, STEADY, Profiler, TimingPlan
from profilers.errors import BadInput, FingerprintMismatch, HwnasError, TableError, check_least
from profilers.progress import track
from profilers.timing import contention, plans
from profilers.timing.background_load import BUSY
from profilers.timing.fingerprint import Fingerprint, fingerprint
from profilers.timing.fresh_process import fresh_process_missing, fresh_process_ms

PASSES = 2
CHANGED = 0.04  # in speed, from which on a user is told
ALONE = 6  # networks that a plain loop in a fresh process measures too


@dataclass(frozen=True)
class Measured:
    """Networks measured end to end; each (n,) but `genes` (n, n_genes), NaN where one pass failed.

    `ms` and what follows have the drift divided out, `as_run` has not; `alone` is the plain loop's, NaN where that did
    not run (`alone_missing` says why). `load` is other work in cores, `shared` the share of contended blocks.
    """

    genes: Genes
    ms: Floats
    first: Floats
    second: Floats
    even: Floats
    odd: Floats
    as_run: Floats
    alone: Floats
    rejected: float
    load: float
    shared: float
    alone_missing: str = ""


def verify(
    table: LatencyTable, space: Space, to_onnx: Writer, profiler: Profiler, *, archs: int = 100, seed: int = 0,
    force: bool = False, plan: TimingPlan = plans.VERIFY,
) -> dict[str, Any]:  # fmt: skip
    """Measure `archs` random networks and compare; shares and errors are fractions, `bias` is positive for too slow.

    Raises:
        FingerprintMismatch: the table is of another device, runtime or setting (fields named), and not `force`.
        TableError: the table was not measured, or lacks layers of `space`.
        BadInput: fewer than 2 networks, a negative seed.
    """
    if archs < 2:
        raise BadInput(f"{archs} networks", "2 or more")
    check_least(0, seed=seed)
    check_fingerprint(table, profiler, force=force)
    bound = table.bind(space)
    measured = measure(table, space, to_onnx, profiler, archs, seed, plan)
    figures = compare(bound.predict(measured.genes), measured)
    sums = bound.sums(measured.genes) / measured.ms - 1
    figures |= {"mape_uncalibrated": _mean(np.abs(sums)), "bias_uncalibrated": _mean(sums)}
    return {**figures, "classes": space.classes, "seed": seed, "method": table.method}


def check_fingerprint(table: LatencyTable, profiler: Profiler, *, force: bool = False) -> None:
    """Raises FingerprintMismatch where times of this machine and of the table do not compare, unless `force`."""
    here = replace(table.options, state=table.options.state or STEADY)  # a table of an earlier version has none
    differ = fingerprint(profiler, here).differences(require_fingerprint(table))
    if differ and not force:
        raise FingerprintMismatch(
            f"the table is of another device or setting ({'; '.join(differ)})", "the same device, runtime and settings",
            "build a table here, or --force",
        )  # fmt: skip


def require_fingerprint(table: LatencyTable) -> Fingerprint:
    """The fingerprint of a measured table; TableError for one that was estimated, fitted or imported."""
    if table.fingerprint is None:
        got = f"a table that was {table.status} ({table.method}), not measured on a device at hand"
        raise TableError(got, "a table made by hwnas lut build")
    return table.fingerprint


def measure(
    table: LatencyTable, space: Space, to_onnx: Writer, profiler: Profiler, archs: int, seed: int, plan: TimingPlan
) -> Measured:
    """Random networks, timed in interleaved groups; those that fail are left out (MeasurementFailed if most do)."""
    genes = space.sample(archs, np.random.default_rng(zlib.crc32(f"verify {seed}".encode())))
    own = space.with_classes(table.space.classes)  # of the sentinels, which must be those of the build
    groups = _groups(archs, seed)
    with (
        track(len(groups), "verifying") as bar,
        open_bench(own, to_onnx, profiler, table.options, bar) as bench,
    ):
        watch = PlainLoops(bench, space, space.decode(genes[:ALONE]), len(groups))
        timed = []
        for i, (_, rows) in enumerate(groups):
            timed.append(_timed(bench, genes[rows], space.classes, plan, seed + i))
            watch.follow(i)
    drift = drifts([t.sentinels for t in timed], _reference(table, space)).tolist()
    found = np.full((PASSES, archs, 4), np.nan)  # ms, even, odd, as run
    for (turn, rows), t, f in zip(groups, timed, drift, strict=True):
        for k, samples in t.samples.items():
            even, odd = halves(samples.blocks / samples.drift, MIN_BLOCKS)
            found[turn, rows[int(k)]] = samples.ms / f, even / f, odd / f, samples.ms
    known = np.isfinite(found[..., 0]).any(axis=0)
    found = found[:, known]
    seen = np.isfinite(found).sum(axis=0)
    ms, even, odd, as_run = np.where(seen > 0, np.nansum(found, axis=0) / np.maximum(seen, 1), np.nan).T
    rejected = sum(t.rejected for t in timed) / sum(t.blocks for t in timed)
    load, shared = (float(np.mean([getattr(t, k) for t in timed])) for k in ("load", "shared"))
    alone = np.concatenate([watch.ms, np.full(archs - len(watch.ms), np.nan)])[known]
    first, second = found[0, :, 0], found[1, :, 0]
    times = {"ms": ms, "first": first, "second": second, "even": even, "odd": odd, "as_run": as_run, "alone": alone}
    return Measured(genes[known], **times, rejected=rejected, load=load, shared=shared, alone_missing=watch.missing)


def _groups(archs: int, seed: int) -> list[tuple[int, list[int]]]:
    """(pass, rows) of what is timed together; each pass groups the networks anew."""
    rng = np.random.default_rng([seed, archs])
    orders = [rng.permutation(archs).tolist() for _ in range(PASSES)]
    return [(i, order[k : k + TOGETHER]) for i, order in enumerate(orders) for k in range(0, archs, TOGETHER)]


class PlainLoops:
    """Some networks alone in fresh processes, spread over the groups that are timed; milliseconds in `ms` (n,)."""

    def __init__(self, bench: Bench, space: Space, archs: Sequence[Any], groups: int) -> None:
        self.bench, self.space, self.archs, self.groups = bench, space, archs, groups
        self.ms = np.full(len(archs), np.nan)
        self.missing = fresh_process_missing(bench.profiler, bench.options)

    def follow(self, group: int) -> None:
        """The share of the networks that is due after this group."""
        if self.missing:
            return
        first, last = (len(self.archs) * g // self.groups for g in (group, group + 1))
        for i in range(first, last):
            model = self.bench.model(self.space.layers(self.archs[i]))
            try:
                self.ms[i] = fresh_process_ms(self.bench.profiler.name, model, self.bench.options)
            except HwnasError as error:
                self.missing = str(error)


def _timed(bench: Bench, genes: Genes, classes: int, plan: TimingPlan, seed: int) -> Timed:
    timed = bench.networks(genes, plan, seed, [classes] * len(genes))
    require(timed, "whole networks")
    return timed


def compare(predicted: Estimate, measured: Measured) -> dict[str, Any]:
    """The figures of `verify` from predictions and measurements."""
    error, as_run = predicted.ms / measured.ms - 1, predicted.ms / measured.as_run - 1
    passes = (measured.first, measured.second)
    inside = np.concatenate([((predicted.low <= ms) & (ms <= predicted.high))[np.isfinite(ms)] for ms in passes])
    inside_as_run = (predicted.low <= measured.as_run) & (measured.as_run <= predicted.high)
    both = np.isfinite(measured.first) & np.isfinite(measured.second)
    noise = measured.first[both] / measured.second[both] - 1
    rounds = measured.even / measured.odd - 1
    return {
        "mape": _mean(np.abs(error)),
        "within_5": _mean(np.abs(error) <= 0.05),
        "within_10": _mean(np.abs(error) <= 0.10),
        "kendall_tau": _tau(predicted.ms, measured.ms),
        "bias": _mean(error),
        "noise_floor_mape": _mean(np.abs(noise)),
        "noise_floor_within_5": _mean(np.abs(noise) <= 0.05),
        "noise_floor_kendall_tau": _tau(measured.first[both], measured.second[both]),
        "noise_floor_rounds_mape": _mean(np.abs(rounds[np.isfinite(rounds)])),
        "coverage": _mean(inside),
        "speed_change": float(np.median(measured.as_run / measured.ms)) - 1,
        "mape_as_run": _mean(np.abs(as_run)),
        "within_5_as_run": _mean(np.abs(as_run) <= 0.05),
        "coverage_as_run": _mean(inside_as_run),
        "fresh_process_ratio": _ratio(measured),
        "fresh_process_networks": int(np.isfinite(measured.alone).sum()),
        "fresh_process_missing": measured.alone_missing,
        "networks": len(error),
        "rejected_blocks": measured.rejected,
        "other_work_cores": measured.load,
        "shared_core": measured.shared,
    }


def remarks(figures: Mapping[str, Any]) -> list[str]:
    """What a user should know about the minutes in which the figures of `verify` were measured."""
    found, change, load = [], figures["speed_change"], figures["other_work_cores"]
    if abs(change) > CHANGED:
        found.append(
            f"the machine is {abs(change):.0%} {'slower' if change > 0 else 'faster'} than in the quick moments of the "
            "build (divided out); not all networks change alike, so the intervals may hold for fewer: build a table "
            "while the device is as it will be at work"
        )
    if load > BUSY:
        found.append(f"other work used about {load:.1f} cores of this machine")
    return found + contention.remarks(figures["shared_core"])


def _reference(table: LatencyTable, space: Space) -> list[float] | None:
    """The sentinels' quick times while the table was built; None where those were other networks."""
    times = table.provenance.get("sentinels_ms")
    same = table.provenance.get("sentinels") == [arch.to_json() for arch in sentinel_archs(space)]
    return [number(t, 0, 1e7, "sentinels_ms") for t in times] if same and isinstance(times, list) and times else None


def _ratio(measured: Measured) -> float | None:
    """Geometric mean of the plain loop's times over those measured here, both as run."""
    known = np.isfinite(measured.alone) & np.isfinite(measured.as_run)
    return float(np.exp(np.mean(np.log(measured.alone[known] / measured.as_run[known])))) if known.any() else None


def _tau(a: Floats, b: Floats) -> float | None:
    from scipy.stats import kendalltau

    tau = float(kendalltau(a, b).statistic)
    return tau if np.isfinite(tau) else None


def _mean(values: np.ndarray[Any, Any]) -> float | None:
    return float(np.mean(values)) if len(values) else None
