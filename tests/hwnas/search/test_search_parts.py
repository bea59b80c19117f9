"""Operators, hypervolume, expected improvement, the inner search and the choice: against oracles and as properties."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymoo.core.duplicate import DefaultDuplicateElimination
from pymoo.core.population import Population
from scipy.stats import norm

from hwnas.search import inner, operators
from hwnas.search.acquisition import AcquisitionContext, choose_hypervolume, choose_paper
from hwnas.search.config import SearchSettings
from hwnas.search.hypervolume import hypervolume, nondominated
from hwnas.search.improvement import Improvement, expected_excess
from hwnas.search.objectives import make_objectives
from hwnas.search.problem import History, Problem, Scalarise
from hwnas.search.strategies import Context, propose
from hwnas.space import get_space
from profilers.errors import BadInput
from tests.hwnas.searching import SPACE, formula, genes

NAMES = ("top1", "params", "madds")
PROBLEM = Problem(SPACE, make_objectives(SPACE, NAMES, {}), NAMES)
seeds = st.integers(0, 2**32 - 1)


def history(n=40, seed=0, problem=PROBLEM) -> History:
    g = np.concatenate([problem.anchors, genes(n, seed)])
    return History(g, np.array([formula(a) for a in SPACE.decode(g)]))


def truth(problem, past):
    worst, best = problem.scale(past)

    def predict(g):
        top1 = np.array([formula(a) for a in SPACE.decode(g)])
        return (best - problem.score(top1, g)) / (best - worst), None

    return predict


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


class TestHypervolume:
    @pytest.mark.parametrize(
        ("F", "volume"),
        [([[0.5, 0.5]], 0.25), ([[0.2, 0.8], [0.8, 0.2]], 0.28), ([[0, 0, 0]], 1.0), ([[-1.0, 0.0]], 2.0),
         ([[1.2, 0.0]], 0.0), ([[0.5, 0.5], [0.6, 0.6]], 0.25), ([[0.3]], 0.7)],
    )  # fmt: skip
    def test_known_volumes(self, F, volume):
        assert hypervolume(np.array(F, float)) == pytest.approx(volume)

    def test_of_nothing(self):
        assert hypervolume(np.zeros((0, 3))) == 0.0

    @given(seeds, st.integers(1, 5))
    @settings(max_examples=30, deadline=None)
    def test_agrees_with_monte_carlo_and_never_falls(self, seed, m):
        rng = np.random.default_rng(seed)
        F, points = rng.random((12, m)), rng.random((20000, m))
        covered = (F[:, None] <= points).all(axis=2).any(axis=0).mean()
        assert hypervolume(F) == pytest.approx(covered, abs=0.02)
        assert hypervolume(F[:6]) <= hypervolume(F) + 1e-12

    @given(seeds, st.integers(1, 4))
    @settings(max_examples=30, deadline=None)
    def test_nondominated_by_definition(self, seed, m):
        F = np.random.default_rng(seed).integers(0, 4, (30, m)).astype(float)
        dominated = [any((g <= f).all() and (g < f).any() for g in F) for f in F]
        np.testing.assert_array_equal(nondominated(F), ~np.array(dominated))


class TestImprovement:
    def test_without_uncertainty_it_is_the_added_hypervolume(self):
        rng = np.random.default_rng(0)
        F, new = rng.random((10, 3)), rng.random((6, 3)) * 0.6
        measure = Improvement(F[:, 0], F[:, 1:], rng, 1 << 14)
        added = [hypervolume(np.vstack([F, x])) - hypervolume(F) for x in new]
        np.testing.assert_allclose(measure.gain(new[:, 0], None, new[:, 1:]), added, atol=2e-3)

    @given(seeds, st.integers(1, 4))
    def test_it_is_the_mean_over_the_points_that_a_candidate_covers(self, seed, m):
        rng = np.random.default_rng(seed)
        F = rng.random((12, 1 + m))
        measure = Improvement(F[:, 0], F[:, 1:], rng, 512)  # more than a byte counts
        at_points = measure.points[rng.integers(512, size=20)]  # ties: a point is covered at equal cost
        costs = np.concatenate([rng.random((20, m)) * 1.2, at_points, np.zeros((1, m)), np.ones((1, m))])
        mean, std = rng.random(42), rng.random(42) * 0.2
        covers = (costs[:, None] <= measure.points).all(axis=2)
        gap = measure.level - mean[:, None]
        each = expected_excess(gap.ravel(), np.repeat(std, 512)).reshape(gap.shape)
        np.testing.assert_allclose(measure.gain(mean, std, costs), (each * covers).mean(axis=1), atol=1e-12)
        certain = (np.maximum(gap, 0) * covers).mean(axis=1)
        np.testing.assert_allclose(measure.gain(mean, None, costs), certain, atol=1e-12)

    def test_with_uncertainty_it_is_the_mean_over_draws(self):
        rng = np.random.default_rng(0)
        F, costs = rng.random((5, 3)), np.array([[0.2, 0.4]])
        measure = Improvement(F[:, 0], F[:, 1:], rng, 1 << 12)
        mean, std = np.array([0.5]), np.array([0.3])
        draws = rng.normal(0.5, 0.3, 4000)
        drawn = measure.gain(draws, None, np.repeat(costs, len(draws), axis=0)).mean()
        assert measure.gain(mean, std, costs)[0] == pytest.approx(drawn, rel=0.03)

    def test_alone_it_is_the_classical_expected_improvement(self):
        measure = Improvement(np.array([0.4]), np.zeros((1, 0)), np.random.default_rng(0))
        z = (0.4 - 0.5) / 0.2
        expected = -0.1 * norm.cdf(z) + 0.2 * norm.pdf(z)
        assert measure.gain(np.array([0.5]), np.array([0.2]), np.zeros((1, 0)))[0] == pytest.approx(expected)

    def test_what_was_added_adds_nothing_more(self):
        measure = Improvement(np.zeros(0), np.zeros((0, 2)), np.random.default_rng(0))
        costs = np.array([[0.1, 0.2]])
        first = measure.gain(np.array([0.5]), None, costs)[0]
        measure.add(0.5, costs[0])
        assert first > 0.3 and measure.gain(np.array([0.5]), None, costs)[0] == 0.0

    @given(st.floats(-2, 2), st.floats(1e-6, 2))
    def test_expected_excess_is_between_its_bounds(self, gap, std):
        (value,) = expected_excess(np.array([gap]), np.array([std]))
        assert max(gap, 0.0) - 1e-9 <= value <= max(gap, 0.0) + 0.4 * std


@given(seeds)
def test_duplicates_are_those_of_pymoo(seed):
    rng = np.random.default_rng(seed)
    few = genes(12, seed)
    drawn = [Population.new("X", few[rng.integers(12, size=n)]) for n in (20, 5, 3)]
    ours, theirs = (kind.do(*drawn) for kind in (inner.Distinct(), DefaultDuplicateElimination()))
    assert [id(one) for one in ours] == [id(one) for one in theirs]


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


class TestChoice:
    def question(self, problem=PROBLEM, **changes) -> AcquisitionContext:
        past = history(40, problem=problem)
        return replace(AcquisitionContext(problem, past, truth(problem, past), genes(60, 7)), **changes)

    @pytest.mark.parametrize("rule", [choose_paper, choose_hypervolume])
    def test_chooses_new_networks_within_budget(self, rule):
        limit = float(np.median(PROBLEM.values(genes(200))["params"]))
        question = self.question(replace(PROBLEM, budget={"params": limit}))
        question = replace(question, pool=np.concatenate([question.pool, question.history.genes]))
        chosen = rule(question, 6, np.random.default_rng(0))
        assert chosen.shape == (6, SPACE.n_genes) and len(operators.distinct(chosen, question.seen)) == 6
        assert (question.problem.excess(chosen) == 0).all()

    def test_paper_takes_the_most_accurate_first_then_gaps_in_madds(self):
        question = self.question()
        chosen = choose_paper(question, 5, np.random.default_rng(0))
        pool = question.pool[operators.distinct(question.pool, question.seen)]
        np.testing.assert_array_equal(chosen[0], pool[np.argmin(question.predict(pool)[0])])
        madds = lambda g: PROBLEM.values(g)["madds"]  # noqa: E731
        taken = np.append(madds(PROBLEM.front(question.history)[0].genes), madds(chosen[:1]))
        gap = np.abs(madds(pool)[:, None] - taken).min(axis=1)
        assert np.abs(madds(chosen[1:2]) - taken).min() == gap.max()

    def test_hypervolume_adds_more_than_the_papers_rule(self):
        question = self.question()
        _, F = PROBLEM.normalised(question.history)
        volumes = []
        for rule in (choose_paper, choose_hypervolume):
            chosen = rule(question, 4, np.random.default_rng(0))
            new = np.column_stack([question.predict(chosen)[0], PROBLEM.costs(chosen)])
            volumes.append(hypervolume(np.vstack([F, new])))
        assert volumes[1] > volumes[0] > hypervolume(F)

    def test_under_a_budget_the_most_accurate_within_it_are_looked_for(self):
        names = ("top1", "madds")
        problem = Problem(SPACE, make_objectives(SPACE, names, {}), names, {"madds": 150_000.0})
        question = self.question(problem)
        chosen = choose_hypervolume(question, 4, np.random.default_rng(0))
        many = genes(20_000, 5)
        best = question.predict(many[problem.excess(many) <= 0])[0].min()
        assert question.predict(chosen[:3])[0].max() <= best < question.predict(chosen[3:])[0].min()
        assert (problem.excess(chosen) <= 0).all()

    @pytest.mark.parametrize(
        ("names", "madds", "least", "most"),
        [(("top1", "madds"), 150_000.0, 0.6, 1.0), (("top1", "madds"), 1e9, 0.0, 0.0), (NAMES, 150_000.0, 0.0, 0.5)],
        ids=["bounded", "no bound", "another cost is not"],
    )
    def test_the_first_networks_are_near_a_budget_of_all_costs(self, names, madds, least, most):
        problem = Problem(SPACE, make_objectives(SPACE, names, {}), names, {"madds": madds})
        context = Context(
            problem, SearchSettings(initial=20), History(genes(0), np.zeros(0)), 0, None, np.random.default_rng(3)
        )
        used = problem.used(propose(context).genes[2:])  # the first two are the anchors
        assert len(used) == 18 and (used <= 1).all() and least <= (used > 0.85).mean() <= most

    def test_an_empty_pool_gives_nothing(self):
        assert len(choose_paper(self.question(pool=genes(0)), 3, np.random.default_rng(0))) == 0
