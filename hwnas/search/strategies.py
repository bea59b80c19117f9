"""How the next networks are proposed. A strategy is a pure function of what was evaluated and of a random generator.

`msunas`  surrogate, inner search, choice: algorithm 1 of the paper (lines 9 to 11)
`random`  uniform sampling
`nsga2`   NSGA-II without a surrogate: the best networks so far are varied
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from math import ceil

import numpy as np
from numpy.typing import NDArray

from hwnas.search import among, operators
from hwnas.search.acquisition import EXPLOIT_SHARE, RULES, AcquisitionContext, Predict
from hwnas.search.config import SearchSettings
from hwnas.search.hypervolume import nondominated
from hwnas.search.problem import History, Problem
from hwnas.search.transfer import sample_like
from hwnas.space import Genes
from hwnas.surrogates import AdaptiveSwitching, Prediction, Surrogate, encode, layout, make
from hwnas.surrogates.base import fitted
from profilers.errors import BadInput

Floats = NDArray[np.float64]
_GROWTH = 1.5  # surrogates are compared again when the archive has grown by this factor
_DRAWS = 200  # rounds of sampling before networks within a tight budget are made by mutation
_PARENTS = 20  # of `nsga2`
_NEAR = 0.85  # share of a limit from which on a network is near it
LISTED = 20_000  # networks of a space that are all looked at before it is said that none is new
_MANY = 60  # networks drawn for one near a limit


@dataclass(frozen=True, eq=False)
class Proposal:
    """(n, n_genes) networks to evaluate, with what a surrogate predicted of their top-1 (percent), if one did."""

    genes: Genes
    predicted: Prediction | None = None
    surrogate: str | None = None


@dataclass(frozen=True, eq=False)
class Context:
    """All that a proposal depends on: `last_surrogate` is the one that Adaptive Switching chose last.

    `start` is the front whose choices the initial sample follows, if there is one. The last `pending` networks of the
    history are being evaluated: their top1 is NaN, and a surrogate believes them to be as it predicts.
    """

    problem: Problem
    settings: SearchSettings
    history: History
    iteration: int
    last_surrogate: str | None
    rng: np.random.Generator
    start: Genes | None = None
    pending: int = 0


def propose(context: Context) -> Proposal:
    """The networks of an iteration: the initial sample for iteration 0, then what the strategy says."""
    if context.iteration == 0:
        return Proposal(_initial(context))
    return STRATEGIES[context.settings.strategy](context)


def _initial(context: Context) -> Genes:
    problem, settings, start = context.problem, context.settings, context.start
    if start is not None:
        alike = lambda n, rng: sample_like(problem.space, start, n, rng)  # noqa: E731
        return _fill(context, problem.anchors, settings.initial, alike)
    if settings.initial_sampling == "uniform" or settings.strategy != "msunas":
        return _fill(context, problem.anchors, settings.initial, _uniform(problem))
    spread = partial(_spread, problem)
    bounded = problem.budget and set(problem.cost_names) <= set(problem.budget)  # else a whole front is wanted
    close = _near(problem, ceil(EXPLOIT_SHARE * settings.initial), context.rng) if bounded else problem.anchors[:0]
    return _fill(context, np.concatenate([problem.anchors, close]), settings.initial, spread)


def _spread(problem: Problem, n: int, rng: np.random.Generator) -> Genes:
    return operators.sample_spread(problem.space, n, rng)


def _uniform(problem: Problem) -> among.Draw:
    return problem.space.sample if problem.candidates is None else partial(among.sample, problem)


def _near(problem: Problem, n: int, rng: np.random.Generator) -> Genes:
    """At most n networks that cost nearly as much as they may: of these the surrogate is to tell the best."""
    drawn = among.sample if problem.candidates is not None else _spread
    genes = drawn(problem, _MANY * n, rng)
    used = problem.used(genes)
    near = genes[(used > _NEAR) & (used <= 1)]
    return near[operators.distinct(near)[:n]]


def _fill(context: Context, start: Genes, n: int, draw: Callable[[int, np.random.Generator], Genes]) -> Genes:
    """`start`, then networks from `draw` that are new and within budget: n in all, fewer if the space has no more."""
    problem, rng = context.problem, context.rng
    seen = set(operators.keys(context.history.genes))
    if problem.candidates is not None:
        return among.fill(problem, seen, start, n, draw, rng)
    found = start[operators.distinct(start)[:n]]  # the smallest network may be the largest, too
    for attempt in range(_DRAWS):
        if len(found) >= n:
            break
        tight = attempt >= _DRAWS // 2  # so few networks are within budget that the smallest ones are varied instead
        small = problem.space.encode(problem.space.extremes()[:1])
        more = operators.vary(problem.space, np.concatenate([small, found]), 2 * n, rng) if tight else draw(2 * n, rng)
        more = more[problem.excess(more) <= 0]
        found = np.concatenate([found, more])
        found = found[operators.distinct(found, seen)[:n]]
    if len(found) < n and problem.space.size <= LISTED:  # chance need not have met all
        rest = problem.space.all_genes()
        rest = rng.permutation(rest[problem.excess(rest) <= 0])
        found = np.concatenate([found, rest])
        found = found[operators.distinct(found, seen)[:n]]
    return found


def _random(context: Context) -> Proposal:
    empty = context.history.genes[:0]
    return Proposal(_fill(context, empty, context.settings.per_iteration, _uniform(context.problem)))


def _nsga2(context: Context) -> Proposal:
    """NSGA-II keeps the best of all it has seen, so its population is a function of the archive."""
    done, F = context.problem.normalised(context.history)
    parents = done.genes[_survivors(F, _PARENTS)] if len(done) else context.problem.space.sample(_PARENTS, context.rng)
    n = context.settings.per_iteration
    empty = context.history.genes[:0]
    draw = lambda n, rng: operators.vary(context.problem.space, parents, n, rng)  # noqa: E731
    return Proposal(_fill(context, empty, n, draw))


def _survivors(F: Floats, count: int) -> NDArray[np.intp]:
    from pymoo.core.population import Population
    from pymoo.core.problem import Problem as PymooProblem
    from pymoo.operators.survival.rank_and_crowding import RankAndCrowding

    population, problem = Population.new("F", F, "index", np.arange(len(F))), PymooProblem(n_obj=F.shape[1])
    rng = np.random.default_rng(0)
    kept = RankAndCrowding().do(problem, population, n_survive=min(count, len(F)), random_state=rng)
    return np.asarray(kept.get("index"), np.intp)


def _msunas(context: Context) -> Proposal:
    problem, settings, history = context.problem, context.settings, context.history
    if len(history) == len(history.done) == 1:
        return _random(context)  # the space's, or the budget's, only network
    if len(history.done) < 2:
        raise BadInput(
            f"{len(history.done)} of {len(history)} networks could be evaluated: a surrogate has nothing to learn from",
            "at least 2",
            "the errors in the archive (hwnas archive RUN)",
        )
    model, name = _fit(context)
    history = _believed(context, model)
    context = replace(context, history=history)
    predict = _normalised(problem, history, model)
    pool = _pool(context, _losses(problem, history, model))
    asked = AcquisitionContext(problem, history, predict, pool)
    chosen = RULES[settings.choose](asked, settings.per_iteration, context.rng)
    chosen = _fill(context, chosen, settings.per_iteration, lambda n, rng: operators.vary(problem.space, pool, n, rng))
    return Proposal(chosen, model.predict(encode(problem.space, chosen)), name) if len(chosen) else Proposal(chosen)


def _believed(context: Context, model: Surrogate) -> History:
    """The history with what is being evaluated as the model predicts it, on which it is then conditioned."""
    space, history, top1 = context.problem.space, context.history, context.history.top1.copy()
    if not context.pending:
        return history
    top1[-context.pending :] = model.predict(encode(space, history.genes[-context.pending :])).mean
    believed = replace(history, top1=top1)
    fitted(model.refit, encode(space, believed.done.genes), believed.done.top1, believed.done.noise)
    return believed


def _pool(context: Context, loss: Callable[[Genes], Floats]) -> Genes:
    """What a surrogate's choice is made from: the inner search's last population, or all that is listed."""
    from hwnas.search import inner

    problem, settings = context.problem, context.settings
    if problem.candidates is not None:
        return among.fresh(problem, set(operators.keys(context.history.genes)), context.rng)
    start = problem.front(context.history)[0].genes
    return inner.search(
        problem,
        loss,
        start,
        context.rng,
        algorithm=settings.inner,
        population=settings.population,
        generations=settings.generations,
    )


STRATEGIES: dict[str, Callable[[Context], Proposal]] = {"msunas": _msunas, "random": _random, "nsga2": _nsga2}


def _fit(context: Context) -> tuple[Surrogate, str]:
    """The surrogate, fitted to all evaluations, and its name (under Adaptive Switching, of the chosen one)."""
    space, settings, done = context.problem.space, context.settings, context.history.done
    name = settings.surrogate
    if name == AdaptiveSwitching.name and not switch_due(settings, context.iteration) and context.last_surrogate:
        name = context.last_surrogate
    model = make(name, layout(space))
    if isinstance(model, AdaptiveSwitching):
        F = np.column_stack([-context.problem.score(done.top1, done.genes), context.problem.costs(done.genes)])
        model.near = nondominated(F)
    fitted(model.fit, encode(space, done.genes), done.top1, done.noise)
    return model, model.chosen or name if isinstance(model, AdaptiveSwitching) else name


def switch_due(settings: SearchSettings, iteration: int) -> bool:
    """Whether Adaptive Switching compares its candidates now: at the first iteration, and after growth by half."""
    compared = 0.0
    for k in range(1, iteration + 1):
        rows = settings.initial + (k - 1) * settings.per_iteration
        if due := rows >= _GROWTH * compared:
            compared = rows
    return due


def _normalised(problem: Problem, history: History, model: Surrogate) -> Predict:
    worst, best = scale = problem.scale(history)

    def predict(genes: Genes) -> tuple[Floats, Floats | None]:
        mean, std = model.predict(encode(problem.space, genes))
        loss = problem.loss(mean, genes, scale)
        return loss, None if std is None else std * problem.factor(genes) / (best - worst)

    return predict


def _losses(problem: Problem, history: History, model: Surrogate) -> Callable[[Genes], Floats]:
    """`_normalised`'s mean alone: the inner search asks for no uncertainty."""
    scale = problem.scale(history)
    return lambda genes: problem.loss(model.mean(encode(problem.space, genes)), genes, scale)
