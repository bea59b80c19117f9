"""The inner search: NSGA-II over predicted accuracy and exact costs (paper, algorithm 1, line 10).

The whole population is evaluated by look-up, starts from the archive's front, and holds no network twice; budgets are
constraints. NSGA-II is `nsga2`'s, on arrays; NSGA-III and U-NSGA-III are pymoo's.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymoo.algorithms.moo.nsga3 import NSGA3
from pymoo.algorithms.moo.unsga3 import UNSGA3
from pymoo.config import Config
from pymoo.core.crossover import Crossover
from pymoo.core.duplicate import DuplicateElimination
from pymoo.core.mutation import Mutation
from pymoo.core.problem import Problem as PymooProblem
from pymoo.core.sampling import Sampling
from pymoo.util.ref_dirs import get_reference_directions

from hwnas.search.nsga2 import evolve
from hwnas.search.operators import crossover, distinct, keys, mutate, sample_spread, vary
from hwnas.search.problem import Problem
from hwnas.space import Genes, SearchSpace

Floats = NDArray[np.float64]
Loss = Callable[[Genes], Floats]
PYMOO = {"nsga3": NSGA3, "unsga3": UNSGA3}
ALGORITHMS = ("nsga2", *PYMOO)

_WORST = 1e9  # in place of no value: pymoo is to sort it, behind all else

Config.warnings["not_compiled"] = False  # a hint to compile pymoo is not for our users
Config.show_compile_hint = False


def search(
    problem: Problem,
    loss: Loss,
    start: Genes,
    rng: np.random.Generator,
    *,
    algorithm: str = "nsga2",
    population: int = 120,
    generations: int = 60,
) -> Genes:
    """(k, n_genes) distinct networks of the last population.

    `loss` takes canonical genes (n, n_genes) to predicted normalised loss (n,); `start` (s, n_genes) are networks to
    start from, and random ones fill up the population.
    """
    first = start[rng.permutation(len(start))[:population]] if len(start) else start
    first = np.concatenate([first, sample_spread(problem.space, 2 * population, rng)])
    first = first[distinct(first)[:population]]
    if algorithm == "nsga2":
        children = partial(vary, problem.space)
        return evolve(partial(_evaluate, problem, loss), children, first, rng, population, generations)
    return _by_pymoo(problem, loss, first, rng, algorithm, population, generations)


def _evaluate(problem: Problem, loss: Loss, genes: Genes) -> tuple[Floats, Floats]:
    """(n, 1 + m) loss and costs, and (n,) by how much the budgets are exceeded: infinite where a cost has no value."""
    found = loss(genes)
    excess = problem.excess(genes)
    if "top1" in problem.budget:  # a loss beyond 1 is beyond the budget of accuracy
        excess = excess + np.fmax(found - 1.0, 0.0)  # no number where a scalarised cost has no value
    return np.column_stack([found, problem.costs(genes)]), excess


def _by_pymoo(
    problem: Problem,
    loss: Loss,
    first: Genes,
    rng: np.random.Generator,
    algorithm: str,
    population: int,
    generations: int,
) -> Genes:
    evolution = PYMOO[algorithm](
        ref_dirs=_directions(1 + len(problem.cost_names), population),
        pop_size=population,
        sampling=_Start(first),
        crossover=_Crossover(problem.space),
        mutation=_Mutation(problem.space),
        eliminate_duplicates=Distinct(),
    )
    seed = int(rng.integers(2**31))
    evolution.setup(_Population(problem, loss), termination=("n_gen", generations), seed=seed)
    while evolution.has_next():  # pymoo's `minimize` would deep-copy algorithm and population
        evolution.next()
    genes = np.asarray(evolution.pop.get("X"), np.int64)
    return genes[distinct(genes)]


def _directions(objectives: int, population: int) -> Floats:
    """Das and Dennis's reference directions, as many as the population holds."""
    if objectives == 1:
        return np.ones((1, 1))
    partitions, directions = 1, np.eye(objectives)
    while len(directions) <= population:
        partitions, best = partitions + 1, directions
        directions = get_reference_directions("das-dennis", objectives, n_partitions=partitions)
    return np.asarray(best)


class _Population(PymooProblem):  # type: ignore[misc]
    """A whole population at once, for pymoo."""

    def __init__(self, problem: Problem, loss: Loss) -> None:
        self.problem, self.loss = problem, loss
        space = problem.space
        super().__init__(
            n_var=space.n_genes,
            n_obj=1 + len(problem.cost_names),
            n_ieq_constr=int(bool(problem.budget or problem.functions)),
            xl=space.lower,
            xu=space.upper,
            vtype=int,
        )

    def _evaluate(self, x: Any, out: dict[str, Any], *_: Any, **__: Any) -> None:
        F, excess = _evaluate(self.problem, self.loss, np.asarray(x, np.int64))
        out["F"] = np.where(np.isnan(F), _WORST, F)
        if self.has_constraints():
            out["G"] = np.minimum(excess, _WORST)


class _Start(Sampling):  # type: ignore[misc]
    def __init__(self, genes: Genes) -> None:
        super().__init__()
        self.genes = genes

    def _do(self, problem: Any, n_samples: int, *_: Any, **__: Any) -> Genes:
        return self.genes


class _Crossover(Crossover):  # type: ignore[misc]
    def __init__(self, space: SearchSpace) -> None:
        super().__init__(n_parents=2, n_offsprings=2, prob=0.5)
        self.space = space

    def _do(self, problem: Any, X: Any, *_: Any, random_state: np.random.Generator, **__: Any) -> Genes:
        return np.stack([crossover(self.space, X[0], X[1], random_state) for _ in range(2)])


class _Mutation(Mutation):  # type: ignore[misc]
    def __init__(self, space: SearchSpace) -> None:
        super().__init__(prob=1.0)
        self.space = space

    def _do(self, problem: Any, X: Any, *_: Any, random_state: np.random.Generator, **__: Any) -> Genes:
        return mutate(self.space, np.asarray(X, np.int64), random_state)


class Distinct(DuplicateElimination):  # type: ignore[misc]
    """Equal genes: pymoo's own compares the distances of all pairs, which takes longer than to vary them."""

    def do(self, pop: Any, *others: Any, **_: Any) -> Any:
        """The individuals of `pop` that are in none of the `others`, the first of equal ones."""
        seen = {known for other in others if len(other) for known in keys(other.get("X"))}
        return pop[distinct(pop.get("X"), seen)]
