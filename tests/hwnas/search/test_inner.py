"""The inner search: its duplicates, its fronts, budgets as constraints."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymoo.core.duplicate import DefaultDuplicateElimination
from pymoo.core.population import Population

from hwnas.search import inner
from hwnas.search.hypervolume import hypervolume
from tests.hwnas.searching import PROBLEM, SPACE, genes, history, truth

seeds = st.integers(0, 2**32 - 1)


@given(seeds)
def test_duplicates_are_those_of_pymoo(seed):
    rng = np.random.default_rng(seed)
    few = genes(12, seed)
    drawn = [Population.new("X", few[rng.integers(12, size=n)]) for n in (20, 5, 3)]
    ours, theirs = (kind.do(*drawn) for kind in (inner.Distinct(), DefaultDuplicateElimination()))
    assert [id(one) for one in ours] == [id(one) for one in theirs]


class TestInner:
    @pytest.mark.parametrize("algorithm", inner.ALGORITHMS)
    def test_finds_a_better_front_than_it_starts_from(self, algorithm):
        past = history(30)
        predict = truth(PROBLEM, past)
        start, F = PROBLEM.front(past)
        rng = np.random.default_rng(0)
        found = inner.search(
            PROBLEM, lambda g: predict(g)[0], start.genes, rng, algorithm=algorithm, population=40, generations=10
        )
        assert len(np.unique(found, axis=0)) == len(found)
        np.testing.assert_array_equal(SPACE.canonical(found), found)
        assert hypervolume(np.column_stack([predict(found)[0], PROBLEM.costs(found)])) > hypervolume(F)

    def test_budgets_are_constraints(self):
        limit = float(np.quantile(PROBLEM.values(genes(200))["params"], 0.2))
        problem = replace(PROBLEM, budget={"params": limit})
        past = history(30)
        loss = truth(problem, past)
        rng = np.random.default_rng(0)
        found = inner.search(problem, lambda g: loss(g)[0], genes(0), rng, population=20, generations=8)
        assert (problem.values(found)["params"] <= limit).all()
