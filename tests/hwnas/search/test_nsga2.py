"""NSGA-II on arrays, against pymoo's."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwnas.search import inner, nsga2
from hwnas.search.hypervolume import hypervolume
from hwnas.search.operators import vary
from tests.hwnas.searching import PROBLEM, SPACE, genes, history, truth

seeds = st.integers(0, 2**32 - 1)


@given(seeds, st.integers(1, 4))
def test_crowding_is_that_of_pymoo(seed, m):
    from pymoo.operators.survival.rank_and_crowding.metrics import calc_crowding_distance

    F = np.random.default_rng(seed).random((15, m))
    np.testing.assert_allclose(nsga2.crowding(F), calc_crowding_distance(F))


@given(seeds)
def test_those_that_survive_are_pymoos(seed):
    from pymoo.core.population import Population
    from pymoo.core.problem import Problem
    from pymoo.operators.survival.rank_and_crowding import RankAndCrowding

    rng = np.random.default_rng(seed)
    F, excess, rows = rng.random((40, 3)), np.maximum(rng.normal(-0.3, 0.5, 40), 0.0), np.arange(40)[:, None]
    people = Population.new("F", F, "G", excess[:, None], "index", rows[:, 0])
    theirs = RankAndCrowding().do(Problem(n_obj=3, n_ieq_constr=1), people, n_survive=20, random_state=rng)
    ours = nsga2.select(rows, F, excess, 20)
    within = excess[theirs.get("index")] <= 0
    pairs = zip(theirs.get("rank")[within], np.round(np.asarray(theirs.get("crowding")[within], float), 9), strict=True)
    count, last = np.count_nonzero(ours.excess <= 0), theirs.get("index")[~within]
    mine = zip(ours.front[:count], np.round(ours.crowding[:count], 9), strict=True)
    assert sorted(mine) == sorted(pairs)  # the ends of a front are equals: which of them, chance decides
    assert set(ours.genes[count:, 0].tolist()) == set(last.tolist())
    assert (np.diff(ours.excess) >= 0).all() and (np.diff(ours.front) >= 0).all()


@given(seeds)
def test_tournaments_are_won_by_the_better(seed):
    rng = np.random.default_rng(seed)
    found = nsga2.select(np.arange(30)[:, None], rng.random((30, 2)), np.maximum(rng.normal(0, 1, 30), 0.0), 30)
    wins = np.bincount(nsga2._winners(found, 3000, rng), minlength=30)
    assert wins[:10].sum() > wins[10:20].sum() > wins[20:].sum()


def test_it_reaches_the_front_that_pymoos_reaches():
    from pymoo.algorithms.moo.nsga2 import NSGA2

    past = history(30)
    predict = truth(PROBLEM, past)
    loss = lambda g: predict(g)[0]  # noqa: E731
    reached = {"ours": [], "pymoo": []}
    for seed in range(4):
        rng = np.random.default_rng(seed)
        first = PROBLEM.front(past)[0].genes
        found = nsga2.evolve(
            partial(inner._evaluate, PROBLEM, loss), partial(vary, SPACE), first, np.random.default_rng(seed), 40, 12
        )
        theirs = NSGA2(
            pop_size=40, sampling=inner._Start(first), crossover=inner._Crossover(SPACE),
            mutation=inner._Mutation(SPACE), eliminate_duplicates=inner.Distinct(),
        )  # fmt: skip
        theirs.setup(inner._Population(PROBLEM, loss), termination=("n_gen", 12), seed=int(rng.integers(2**31)))
        while theirs.has_next():
            theirs.next()
        for name, last in (("ours", found), ("pymoo", np.asarray(theirs.pop.get("X"), np.int64))):
            reached[name].append(hypervolume(np.column_stack([loss(last), PROBLEM.costs(last)])))
    assert np.mean(reached["ours"]) > np.mean(reached["pymoo"]) - 0.01


def test_a_space_with_no_new_network_ends():
    few = genes(6)
    same = lambda parents, n, rng: few[rng.integers(6, size=n)]  # noqa: E731
    evaluate = lambda g: (g[:, :2].astype(float), np.zeros(len(g)))  # noqa: E731
    found = nsga2.evolve(evaluate, same, few, np.random.default_rng(0), 10, 5)
    assert sorted(map(tuple, found)) == sorted(set(map(tuple, few)))


@pytest.mark.parametrize("population", [8, 50])
def test_no_more_than_asked_for_and_none_twice(population):
    past = history(30)
    predict = truth(PROBLEM, past)
    found = inner.search(
        PROBLEM, lambda g: predict(g)[0], genes(60), np.random.default_rng(1), population=population, generations=3
    )
    assert len(found) <= population and len(np.unique(found, axis=0)) == len(found)
