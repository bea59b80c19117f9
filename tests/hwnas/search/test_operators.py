"""Crossover, mutation and sampling: canonical networks, as properties."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hwnas.search import operators
from hwnas.space import get_space
from tests.hwnas.searching import PROBLEM, SPACE, genes

seeds = st.integers(0, 2**32 - 1)


class TestOperators:
    @given(seeds)
    @settings(max_examples=30, deadline=None)
    def test_children_are_canonical_networks(self, seed):
        rng = np.random.default_rng(seed)
        for space in (SPACE, get_space("mbv3")):
            parents = operators.sample_spread(space, 20, rng)
            for children in (parents, operators.vary(space, parents, 30, rng)):
                np.testing.assert_array_equal(space.canonical(children), children)

    @given(seeds)
    @settings(max_examples=30, deadline=None)
    def test_crossover_of_twins_is_the_twin(self, seed):
        g = genes(10, seed)
        np.testing.assert_array_equal(operators.crossover(SPACE, g, g, np.random.default_rng(seed)), g)

    def test_crossover_mixes_only_what_parents_have(self):
        a, b = genes(200, 1), genes(200, 2)
        child = operators.crossover(SPACE, a, b, np.random.default_rng(0))
        assert ((child == a) | (child == b) | (child == 0)).all()
        assert (child != a).any() and (child != b).any()

    def test_mutation_adds_and_removes_layers(self):
        one = np.tile(SPACE.encode(SPACE.extremes()[:1]), (500, 1))
        depth = (operators.mutate(SPACE, one, np.random.default_rng(0))[:, 1 : 1 + SPACE.slots] > 0).sum(axis=1)
        assert (depth > depth.min()).mean() > 0.05 and (depth == depth.min()).mean() > 0.2

    def test_spread_sampling_reaches_further_than_uniform(self):
        spread = PROBLEM.costs(operators.sample_spread(SPACE, 1000, np.random.default_rng(0)))
        uniform = PROBLEM.costs(genes(1000))
        assert (spread.std(axis=0) > 1.3 * uniform.std(axis=0)).all()

    def test_distinct_keeps_the_first_in_order(self):
        g = genes(5)
        rows = np.concatenate([g[[2, 0, 2]], g[[1, 0]]])
        assert operators.distinct(rows).tolist() == [0, 1, 3]
        assert operators.distinct(rows, {operators.key(g[0])}).tolist() == [0, 3]
