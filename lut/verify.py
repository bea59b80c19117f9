"""Checking a table against fresh random networks, measured end to end by the loop and the estimator that made it.

    a, b  (n,) measured twice, ms      y = (a + b) / 2      p  (n,) predicted, ms      z (m,) by a plain loop, ms

Every network is loaded and timed in two passes, since two loadings of a model differ a little; the noise floor is what
measuring twice gives: the same figures for a against b. `coverage` is of a and b, since the interval is for a network
loaded once. What the control models show of the machine's speed against the build is divided out of y; `speed_change`
says how much it was, and `..._as_run` are the figures without that. `noise_floor_rounds_mape` compares even and odd
rounds of the same loadings. `fresh_process_ratio` is the independent view: z over what was measured here of the same
networks, as run, each z alone in a process of its own by a plain loop of the runtime's API
(`profilers.timing.plain_loop`), whose 5 % quantile it is.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from lut.build.bench import TOGETHER, Bench, Network, Workbench, control_archs, open_bench
from lut.protocols import Floats, Genes, Space
from lut.table.fields import number
from lut.table.table import Estimate, LatencyTable
from profilers.base import STEADY, Profiler, TimingPlan
from profilers.errors import BadInput, FingerprintMismatch, HwnasError, TableError, check_least
from profilers.interruption import leaving
from profilers.progress import track
from profilers.rank_correlation import kendall
from profilers.timing import contention, plans
from profilers.timing.background_load import BUSY
from profilers.timing.conditions import Conditions, merged
from profilers.timing.fingerprint import Fingerprint, fingerprint
from profilers.timing.fresh_process import fresh_process_missing
from profilers.timing.measurement import MeasuredGroup, Measurement, at_one_speed

PASSES = 2
CHANGED = 0.04  # in speed, from which on a user is told
ALONE = 6  # networks that a plain loop in a fresh process measures too


@dataclass(frozen=True)
class Verification:
    """Random networks measured end to end, as arrays for the figures; each (n,) but `genes` (n, n_genes).

    `ms` and what follows have the drift divided out, `as_run` has not; NaN where one pass failed. `alone` is the plain
    loop's, NaN where that did not run (`alone_missing` says why). `state` and `estimator` are what all have in common.
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
    background_load: float
    contended_fraction: float
    state: str
    estimator: str
    alone_missing: str = ""
    conditions: Conditions = field(default_factory=Conditions)


def verify(
    table: LatencyTable, workbench: Workbench, *, archs: int = 100, seed: int = 0, force: bool = False,
    plan: TimingPlan = plans.VERIFY,
) -> dict[str, Any]:  # fmt: skip
    """Measure `archs` random networks and compare; shares and errors are fractions, `bias` is positive for too slow.

    Args:
        table: a measured one, whose options are those of the measurement.
        workbench: the space (any number of classes) and the table's runtime; its own options are not looked at.
        archs: how many networks.
        seed: of the networks.
        force: measure although the table is of another device or setting.
        plan: of the timing.

    Raises:
        FingerprintMismatch: the table is of another device, runtime or setting (fields named), and not `force`.
        TableError: the table was not measured, or lacks layers of the space.
        BadInput: fewer than 2 networks, a negative seed.
    """
    if archs < 2:
        raise BadInput(f"{archs} networks", "2 or more")
    check_least(0, seed=seed)
    check_fingerprint(table, workbench.profiler, force=force)
    bound = table.bind(workbench.space)
    found = measure(table, workbench, archs, seed, plan)
    figures = compare(bound.predict(found.genes), found)
    sums = bound.sums(found.genes) / found.ms - 1
    figures |= {"mape_uncalibrated": _mean(np.abs(sums)), "bias_uncalibrated": _mean(sums)}
    return {**figures, "classes": workbench.space.classes, "seed": seed, "method": table.method}


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


def measure(table: LatencyTable, workbench: Workbench, archs: int, seed: int, plan: TimingPlan) -> Verification:
    """Random networks, timed in interleaved groups; those that fail are left out (MeasurementFailed if most do)."""
    space = workbench.space
    genes = space.sample(archs, np.random.default_rng(zlib.crc32(f"verify {seed}".encode())))
    networks = [Network(arch, space.classes) for arch in space.decode(genes)]
    own = space.with_classes(table.space.classes)  # of the control models, which must be those of the build
    passes = _passes(archs, seed)
    with (
        leaving(str),
        track(len(passes), "verifying") as bar,
        open_bench(replace(workbench, space=own, options=table.options), bar) as bench,
    ):
        plain = PlainLoops(bench, networks[:ALONE], len(passes))
        groups = []
        for i, (_, rows) in enumerate(passes):
            groups.append(bench.networks([networks[row] for row in rows], plan, seed + i))
            groups[-1].require("networks")
            plain.follow(i)
    ids = [network.id for network in networks]
    return _verification(genes, ids, passes, groups, _reference(table, space), plain)


def _passes(archs: int, seed: int) -> list[tuple[int, list[int]]]:
    """(pass, rows) of what is timed together; each pass groups the networks anew."""
    rng = np.random.default_rng([seed, archs])
    orders = [rng.permutation(archs).tolist() for _ in range(PASSES)]
    return [(i, order[k : k + TOGETHER]) for i, order in enumerate(orders) for k in range(0, archs, TOGETHER)]


def _verification(
    genes: Genes,
    ids: Sequence[str],
    passes: Sequence[tuple[int, list[int]]],
    groups: Sequence[MeasuredGroup],
    reference: Sequence[float] | None,
    plain: PlainLoops,
) -> Verification:
    """The arrays of those networks that at least one pass could time."""
    found = np.full((PASSES, len(ids), 4), np.nan)  # ms, even, odd, as run
    for (turn, rows), group, steady in zip(passes, groups, at_one_speed(groups, reference), strict=True):
        for row in rows:
            if (as_run := group.measured.get(ids[row])) is not None:
                found[turn, row] = _times(as_run, steady.measured[ids[row]])
    known = np.isfinite(found[..., 0]).any(axis=0)
    found = found[:, known]
    seen = np.isfinite(found).sum(axis=0)
    ms, even, odd, as_run_ms = np.where(seen > 0, np.nansum(found, axis=0) / np.maximum(seen, 1), np.nan).T
    one = next(iter(groups[0].measured.values()))
    return Verification(
        genes[known],
        ms,
        found[0, :, 0],
        found[1, :, 0],
        even,
        odd,
        as_run_ms,
        np.concatenate([plain.ms, np.full(len(ids) - len(plain.ms), np.nan)])[known],
        rejected=sum(group.rejected for group in groups) / sum(group.blocks for group in groups),
        background_load=float(np.mean([group.background_load for group in groups])),
        contended_fraction=float(np.mean([group.contended_fraction for group in groups])),
        state=one.state,
        estimator=one.estimator,
        alone_missing=plain.missing,
        conditions=merged([group.conditions for group in groups]),
    )


def _times(as_run: Measurement, steady: Measurement) -> tuple[float, float, float, float]:
    """ms, of even and of odd rounds, the drift divided out; ms as run."""
    drift = as_run.ms / steady.ms
    even, odd = as_run.halves()
    return steady.ms, even / drift, odd / drift, as_run.ms


class PlainLoops:
    """Some networks alone in fresh processes, spread over the groups that are timed; milliseconds in `ms` (n,)."""

    def __init__(self, bench: Bench, networks: Sequence[Network], groups: int) -> None:
        self.bench, self.networks, self.groups = bench, networks, groups
        self.ms = np.full(len(networks), np.nan)
        self.missing = fresh_process_missing(bench.profiler, bench.options)

    def follow(self, group: int) -> None:
        """The share of the networks that is due after this group."""
        if self.missing:
            return
        first, last = (len(self.networks) * g // self.groups for g in (group, group + 1))
        for i in range(first, last):
            model = self.bench.model(self.networks[i].layers(self.bench.space))
            try:
                self.ms[i] = self.alone_ms(model)
            except HwnasError as error:
                self.missing = str(error)

    def alone_ms(self, model: bytes) -> float:
        """Milliseconds of one, where the table is verified."""
        options, place = self.bench.options, self.bench.measuring.place
        loop = partial(place.plain_loop_ms, self.bench.profiler.name, model, options.threads, options.precision)
        return place.unit(loop)


def compare(predicted: Estimate, measured: Verification) -> dict[str, Any]:
    """The figures of `verify` from predictions and measurements."""
    error, as_run = predicted.ms / measured.ms - 1, predicted.ms / measured.as_run - 1
    return {
        "mape": _mean(np.abs(error)),
        "within_5": _mean(np.abs(error) <= 0.05),
        "within_10": _mean(np.abs(error) <= 0.10),
        "kendall_tau": _tau(predicted.ms, measured.ms),
        "bias": _mean(error),
        **_noise_floor(measured),
        "coverage": _mean(np.concatenate([_inside(predicted, x) for x in (measured.first, measured.second)])),
        "speed_change": float(np.median(measured.as_run / measured.ms)) - 1,
        "mape_as_run": _mean(np.abs(as_run)),
        "within_5_as_run": _mean(np.abs(as_run) <= 0.05),
        "coverage_as_run": _mean(_inside(predicted, measured.as_run)),
        "fresh_process_ratio": _ratio(measured),
        "fresh_process_networks": int(np.isfinite(measured.alone).sum()),
        "fresh_process_missing": measured.alone_missing,
        "networks": len(error),
        "rejected_blocks": measured.rejected,
        "background_load_cores": measured.background_load,
        "contended_fraction": measured.contended_fraction,
        "conditions": measured.conditions.to_json(),
        "state": measured.state,
        "estimator": measured.estimator,
    }


def _noise_floor(measured: Verification) -> dict[str, Any]:
    """The same figures for measuring twice."""
    both = np.isfinite(measured.first) & np.isfinite(measured.second)
    noise = measured.first[both] / measured.second[both] - 1
    rounds = measured.even / measured.odd - 1
    return {
        "noise_floor_mape": _mean(np.abs(noise)),
        "noise_floor_within_5": _mean(np.abs(noise) <= 0.05),
        "noise_floor_kendall_tau": _tau(measured.first[both], measured.second[both]),
        "noise_floor_rounds_mape": _mean(np.abs(rounds[np.isfinite(rounds)])),
    }


def _inside(predicted: Estimate, ms: Floats) -> Any:
    """Whether each known measurement lies in its interval."""
    return ((predicted.low <= ms) & (ms <= predicted.high))[np.isfinite(ms)]


def remarks(figures: Mapping[str, Any]) -> list[str]:
    """What a user should know about the machine while the figures of `verify` were measured; a line each."""
    found, change, load = [], figures["speed_change"], figures["background_load_cores"]
    if abs(change) > CHANGED:
        found.append(
            f"the machine is {abs(change):.0%} {'slower' if change > 0 else 'faster'} than in the quick moments of the "
            "build (divided out); not all networks change alike, so the intervals may hold for fewer: build a table "
            "while the device is as it will be at work"
        )
    if load > BUSY:
        found.append(f"other processes used about {load:.1f} cores of this machine")
    said = Conditions(**figures.get("conditions", {}))
    return found + contention.remarks(figures["contended_fraction"]) + said.remarks()


def _reference(table: LatencyTable, space: Space) -> list[float] | None:
    """The control models' quick times while the table was built; None where those were other networks."""
    times = table.provenance.get("controls_ms")
    same = table.provenance.get("controls") == [arch.to_json() for arch in control_archs(space)]
    return [number(t, 0, 1e7, "controls_ms") for t in times] if same and isinstance(times, list) and times else None


def _ratio(measured: Verification) -> float | None:
    """Geometric mean of the plain loop's times over those measured here, both as run."""
    known = np.isfinite(measured.alone) & np.isfinite(measured.as_run)
    return float(np.exp(np.mean(np.log(measured.alone[known] / measured.as_run[known])))) if known.any() else None


def _tau(a: Floats, b: Floats) -> float | None:
    tau = kendall(a, b)
    return tau if np.isfinite(tau) else None


def _mean(values: np.ndarray[Any, Any]) -> float | None:
    return float(np.mean(values)) if len(values) else None
