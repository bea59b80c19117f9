"""What is searched: scale, budgets, the scalarised score."""

from dataclasses import replace

import numpy as np
import pytest

from hwnas.search.problem import Problem, Scalarise
from profilers.errors import BadInput
from tests.hwnas.searching import PROBLEM, SPACE, formula, genes, history


class TestProblem:
    def test_scale_is_that_of_the_anchors_whatever_the_start(self):
        a, b = (PROBLEM.scale(history(20, seed)) for seed in (1, 2))
        assert a == b == tuple(formula(x) for x in SPACE.extremes())

    def test_a_stated_range_needs_no_anchors(self):
        problem = replace(PROBLEM, top1_range=(60.0, 90.0))
        assert problem.scale(history()) == (60.0, 90.0) and len(problem.anchors) == 0

    def test_failed_anchors_do_not_stop_it(self):
        past = history(20)
        past.top1[:2] = np.nan
        assert PROBLEM.scale(past) == (0.0, 100.0)

    def test_costs_run_from_smallest_to_largest(self):
        np.testing.assert_allclose(PROBLEM.costs(PROBLEM.anchors), [[0, 0], [1, 1]])
        assert ((PROBLEM.costs(genes(500)) >= 0) & (PROBLEM.costs(genes(500)) <= 1)).all()

    def test_budgets_move_the_reference_and_exclude(self):
        limit = float(np.median(PROBLEM.values(genes(200))["params"]))
        problem = replace(PROBLEM, budget={"params": limit, "top1": 90.0})
        done, F = problem.normalised(history(100))
        assert 0 < len(done) < 100 and (done.top1 >= 90).all() and (F <= 1).all()
        assert (problem.values(done.genes)["params"] <= limit).all()
        inside = problem.excess(genes(200)) == 0
        np.testing.assert_array_equal(inside, PROBLEM.values(genes(200))["params"] <= limit)

    def test_an_impossible_budget_is_refused(self):
        with pytest.raises(BadInput, match="smallest network"):
            replace(PROBLEM, budget={"params": 10.0})

    def test_scalarised_score(self):
        problem = Problem(SPACE, PROBLEM.objectives, ("top1",), scalarise=Scalarise("madds", 1e5))
        g = genes(5)
        expected = 80 * (PROBLEM.values(g)["madds"] / 1e5) ** -0.07
        np.testing.assert_allclose(problem.score(np.full(5, 80.0), g), expected)
        assert problem.costs(g).shape == (5, 0)
