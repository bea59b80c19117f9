"""What the tests of searching share: a formula for accuracy on the tiny space, small settings, a run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hwnas.accuracy import GIVEN
from hwnas.search.config import Config, SearchSettings
from hwnas.search.driver import search
from hwnas.search.objectives import make_objectives
from hwnas.search.problem import History, Problem
from hwnas.search.run import Run, create_run
from hwnas.space import get_space

SPACE = get_space("tiny")
SMALL = SearchSettings(initial=16, iterations=3, per_iteration=4, surrogate="gp", population=16, generations=4)
CONFIG = Config("tiny", GIVEN, objectives=("top1", "params", "madds"), search=SMALL)


class Formula:
    """More of everything is better, with diminishing returns; `broken` ids raise."""

    def __init__(self, broken: frozenset[str] = frozenset()) -> None:
        self.broken, self.asked = broken, []

    def evaluate(self, arch):
        self.asked.append(arch.id)
        if arch.id in self.broken:
            raise RuntimeError("out of memory")
        return formula(arch)


def formula(arch) -> float:
    size = sum(k * e for k, e in zip(arch.ks, arch.e, strict=True)) + 4 * arch.r
    return 99.0 - 900.0 / (size + 10.0)


def run_search(folder, source=None, **changes) -> Run:
    """A finished run; `changes` of settings and, by name, of the configuration."""
    settings = {k: v for k, v in changes.items() if hasattr(SMALL, k)}
    rest = {k: v for k, v in changes.items() if k not in settings}
    run = create_run(folder, replace(CONFIG, search=replace(SMALL, **settings), **rest))
    search(run, source or Formula())
    return run


def genes(n: int, seed: int = 0, space=SPACE):
    return space.sample(n, np.random.default_rng(seed))


def contents(run: Run) -> list:
    """All that two equal runs must share: everything but seconds."""
    rows = [{k: v for k, v in e.to_json().items() if k != "seconds"} for e in run.archive.evaluations()]
    steps = [{k: v for k, v in s.items() if not k.startswith("seconds")} for s in run.archive.iterations()]
    proposals = [run.archive.proposal(k) for k in range(len(steps))]
    return [rows, steps, proposals]


NAMES = ("top1", "params", "madds")
PROBLEM = Problem(SPACE, make_objectives(SPACE, NAMES, {}), NAMES)


def history(n=40, seed=0, problem=PROBLEM) -> History:
    """The anchors and n random networks, evaluated by the formula."""
    g = np.concatenate([problem.anchors, genes(n, seed)])
    return History(g, np.array([formula(a) for a in SPACE.decode(g)]))


def truth(problem, past):
    """A surrogate that knows the formula."""
    worst, best = problem.scale(past)

    def predict(g):
        top1 = np.array([formula(a) for a in SPACE.decode(g)])
        return (best - problem.score(top1, g)) / (best - worst), None

    return predict
