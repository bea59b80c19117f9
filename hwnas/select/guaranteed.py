"""Budget-guaranteed selection: a network is chosen if its latency keeps the limit at the upper end of its interval.

    low, ms, high   what is known of an objective; all three are the value itself where it is counted or evaluated, and
                    where a table has no interval to speak of (estimated from a data sheet)

A network whose interval contains a limit is measured first, where the table's device is at hand. Elsewhere it is left
out, and a note says so. `hwnas select`, `export` and `compare` all choose by `select_from_run`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from hwnas.accuracy.wilson import alike, optimistic
from hwnas.search.archive import OK, Evaluation
from hwnas.search.limits import beyond, ends
from hwnas.search.objectives import LATENCY
from hwnas.search.problem import Problem
from hwnas.select.choose import Choice, check_choice, check_finished, choose, select_by_prediction, within
from hwnas.space import SearchSpace
from lut import LatencyTable
from lut.build.bench import Network, Workbench, open_bench
from lut.verify import check_fingerprint, require_fingerprint
from profilers.base import TimingPlan
from profilers.devices.faults import AWAY
from profilers.devices.hosts import profiler_at
from profilers.errors import BadInput, HwnasError, MeasurementFailed
from profilers.registry import stored_profiler
from profilers.timing import plans
from profilers.timing.measurement import Measurement

if TYPE_CHECKING:
    from hwnas.search.run import Run

Ends = tuple[float, float, float]
Measure = Callable[[str, Sequence[Evaluation]], Mapping[str, Measurement]]


@dataclass
class Selection:
    """The networks chosen, what was measured for that (by objective and id), and what else is to be said.

    `best` is the most accurate of the networks that were chosen from; `alike` of them cannot be told from it.
    """

    choices: list[Choice] = field(default_factory=list)
    measured: dict[str, dict[str, Measurement]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    best: Evaluation | None = None
    alike: int = 0

    def judge(self, pool: Sequence[Evaluation]) -> None:
        """Note the best of the networks that were chosen from, and a warning if it is the luckiest of many."""
        self.best = max(pool, key=_top1, default=None)
        self.alike = sum(self.as_good(row) for row in pool)
        if self.best and (line := optimistic(_top1(self.best), self.best.images, self.alike)):
            self.notes.append(line)

    def as_good(self, row: Evaluation) -> bool:
        """Whether its top-1 cannot be told from the best one's."""
        return self.best is not None and alike(_top1(self.best), _top1(row), row.images)

    def to_json(self, choice: Choice, problem: Problem) -> dict[str, Any]:
        """A choice, with what was measured of it."""
        key = choice.evaluation.arch.id
        found = {
            name: {"low": m.low, "ms": m.ms, "high": m.high, "state": m.state, "estimator": m.estimator}
            for name, by_id in self.measured.items()
            if (m := by_id.get(key)) is not None
        }
        told = {"tied_with_best": self.as_good(choice.evaluation)}
        return choice.to_json(problem) | told | ({"measured": found} if found else {})


def _top1(row: Evaluation) -> float:
    return float(row.objectives.get("top1") or 0.0)


def select_from_run(
    run: Run,
    *,
    budget: Mapping[str, float] | None = None,
    n: int = 4,
    prefer: Mapping[str, float] | None = None,
    knee: bool = False,
    optimistic: bool = False,
    host: str = "",
) -> Selection:
    """The networks of a run that are offered: the one rule of `hwnas select`, `export` and `compare`.

    Args:
        run: an open run.
        budget: limits beside the run's own.
        n: at most so many; the whole front if it is as many as the run has.
        prefer: as `choose`.
        knee: as `choose`.
        optimistic: judge latency by the point prediction, and measure nothing.
        host: the device on which networks are measured whose interval contains a limit, by default this machine.

    Raises:
        BadInput: no network is guaranteed to keep the budgets.
        DeviceUnreachable, DeviceBusy, LinkLost: of a device elsewhere that had to be asked.
    """
    rows, limits = run.archive.evaluations(), budget or {}
    check_finished(rows)
    if optimistic:
        found = Selection(select_by_prediction(run.problem, rows, budget=limits, prefer=prefer, knee=knee, n=n))
        found.judge(within(run.problem, rows, {**run.problem.budget, **limits}))
        return found
    measure = measure_as_tables(run.problem, run.tables, host=host)
    return choose_guaranteed(run.problem, rows, run.tables, measure, budget=limits, prefer=prefer, knee=knee, n=n)


def choose_guaranteed(
    problem: Problem,
    rows: Sequence[Evaluation],
    tables: Mapping[str, LatencyTable],
    measure: Measure,
    *,
    budget: Mapping[str, float],
    n: int = 4,
    prefer: Mapping[str, float] | None = None,
    knee: bool = False,
) -> Selection:
    """`choose` of the networks that are guaranteed to keep the budgets (those given and the run's own).

    `measure` gives measurements by id, of an objective and evaluations, without those that failed; it raises
    HwnasError where nothing can be measured. `tables` are by objective; the rest as of `select_from_run`.

    Raises:
        BadInput: no network is guaranteed to keep the budgets; says the best upper ends.
    """
    check_choice(n, prefer, knee)
    state = _BudgetState(problem, [row for row in rows if row.status == OK], tables, {**problem.budget, **budget})
    found = Selection()
    while pool := state.candidates():
        found.choices = choose(problem, pool, prefer=prefer, knee=knee, n=n)
        undecided = {
            name: [c.evaluation for c in found.choices if name in state.undecided(c.evaluation)]
            for name in state.budget
        }
        if not any(undecided.values()):
            found.notes += state.skipped()
            found.judge(pool)
            return found
        for name, networks in undecided.items():
            if networks:
                found.measured.setdefault(name, {}).update(state.resolve(name, networks, measure))
    raise state.no_network()


class _BudgetState:
    """What is known of each network under the limits. `unmeasurable`: by objective, why it cannot be measured."""

    def __init__(
        self,
        problem: Problem,
        rows: Sequence[Evaluation],
        tables: Mapping[str, LatencyTable],
        budget: Mapping[str, float],
    ) -> None:
        self.problem, self.rows, self.budget = problem, rows, budget
        self.ends = {name: _ends(problem.space, rows, name, tables.get(name)) for name in budget}
        self.unmeasurable: dict[str, str] = {}

    def beyond(self, name: str, value: float) -> bool:
        """Whether a value breaks a limit."""
        return bool(beyond(value, self.budget[name], self.problem.objectives[name].minimise))

    def undecided(self, row: Evaluation) -> list[str]:
        """Objectives whose interval contains their limit."""
        ends = {name: found[row.arch.id] for name, found in self.ends.items()}
        return [name for name, (low, _, high) in ends.items() if self.beyond(name, high) and not self.beyond(name, low)]

    def candidates(self) -> list[Evaluation]:
        """Networks that keep all limits, and those that measuring will decide."""
        possible = [r for r in self.rows if not any(self.beyond(k, e[r.arch.id][0]) for k, e in self.ends.items())]
        return [row for row in possible if not set(self.undecided(row)) & set(self.unmeasurable)]

    def resolve(self, name: str, rows: Sequence[Evaluation], measure: Measure) -> dict[str, Measurement]:
        """Measure these; a network holds if the upper end of what was measured does."""
        try:
            found = dict(measure(name, rows))
        except AWAY:
            raise
        except HwnasError as error:
            self.unmeasurable[name] = str(error)
            return {}
        for row in rows:
            one = found.get(row.arch.id)
            ms, high = (one.ms, one.high) if one else (np.inf, np.inf)  # one that failed is not offered
            self.ends[name][row.arch.id] = (high, ms, high)
        return found

    def skipped(self) -> list[str]:
        """A line for each objective for which networks were skipped."""
        return [
            f"Skipped {count} network{'s' * (count != 1)} whose prediction interval exceeds {name} "
            f"{self.budget[name]:g} and that cannot be measured ({reason}). Use --optimistic to judge by the "
            "point prediction."
            for name, reason in self.unmeasurable.items()
            if (count := sum(name in self.undecided(row) for row in self.rows))
        ]

    def no_network(self) -> BadInput:
        """The error where no network is left."""
        if not self.rows:
            return BadInput("no network of this run could be evaluated", remedy="hwnas archive RUN shows why")
        limits = ", ".join(f"{name} {limit:g}" for name, limit in self.budget.items())
        best = {
            name: (min if self.problem.objectives[name].minimise else max)(e[2] for e in self.ends[name].values())
            for name in self.budget
        }
        nearest = ", ".join(f"{name} {value:g}" for name, value in best.items())
        notes = "".join(f"; {line}" for line in self.skipped())
        got = f"no network of this run is guaranteed to keep {limits}{notes}"
        return BadInput(got, f"the best upper ends: {nearest}", "a larger budget, a search under it, or --optimistic")


def _ends(space: SearchSpace, rows: Sequence[Evaluation], name: str, table: LatencyTable | None) -> dict[str, Ends]:
    """By network's id."""
    genes = np.array([row.genes for row in rows], np.int64)
    found = ends(space, genes, [float(row.objectives[name] or 0.0) for row in rows], table)
    return {row.arch.id: (low, value, high) for row, (low, value, high) in zip(rows, found.tolist(), strict=True)}


def measure_as_tables(
    problem: Problem, tables: Mapping[str, LatencyTable], plan: TimingPlan = plans.COMPARE, host: str = ""
) -> Measure:
    """Measure here, or on the device at `host`, as the tables were: their runtime, options and estimator; end to end.

    Raises, when called:
        FingerprintMismatch: the table is of another device, runtime or setting. TableError: it was not measured.
        EngineUnavailable: its runtime does not work here. MeasurementFailed: nothing could be timed.
    """

    def measure(name: str, rows: Sequence[Evaluation]) -> dict[str, Measurement]:
        if name not in tables or problem.objectives[name].kind != LATENCY:
            raise BadInput(f"{name} is not a latency", "an objective with a table")
        table = tables[name]
        runtime = require_fingerprint(table).runtime
        profiler = profiler_at(host, runtime) if host else stored_profiler(runtime)
        check_fingerprint(table, profiler)
        from hwnas.onnx.writer import write_onnx

        with open_bench(Workbench(problem.space, write_onnx, profiler, table.options)) as bench:
            group = bench.networks([Network(row.arch) for row in rows], plan, 0)
        if not group.measured:
            reason = next(iter(group.failed.values()), "no reason given")
            raise MeasurementFailed(f"no network could be timed: {reason}")
        return group.measured

    return measure
