"""Which candidates are evaluated next, by the paper's rule and by hypervolume."""

from dataclasses import replace

import numpy as np
import pytest

from hwnas.search import operators
from hwnas.search.acquisition import AcquisitionContext, choose_hypervolume, choose_paper
from hwnas.search.config import SearchSettings
from hwnas.search.hypervolume import hypervolume
from hwnas.search.objectives import make_objectives
from hwnas.search.problem import History, Problem
from hwnas.search.strategies import Context, propose
from tests.hwnas.searching import NAMES, PROBLEM, SPACE, genes, history, truth


class TestChoice:
    def context(self, problem=PROBLEM, **changes) -> AcquisitionContext:
        past = history(40, problem=problem)
        return replace(AcquisitionContext(problem, past, truth(problem, past), genes(60, 7)), **changes)

    @pytest.mark.parametrize("rule", [choose_paper, choose_hypervolume])
    def test_chooses_new_networks_within_budget(self, rule):
        limit = float(np.median(PROBLEM.values(genes(200))["params"]))
        context = self.context(replace(PROBLEM, budget={"params": limit}))
        context = replace(context, pool=np.concatenate([context.pool, context.history.genes]))
        chosen = rule(context, 6, np.random.default_rng(0))
        assert chosen.shape == (6, SPACE.n_genes) and len(operators.distinct(chosen, context.seen)) == 6
        assert (context.problem.excess(chosen) == 0).all()

    def test_paper_takes_the_most_accurate_first_then_gaps_in_madds(self):
        context = self.context()
        chosen = choose_paper(context, 5, np.random.default_rng(0))
        pool = context.pool[operators.distinct(context.pool, context.seen)]
        np.testing.assert_array_equal(chosen[0], pool[np.argmin(context.predict(pool)[0])])
        madds = lambda g: PROBLEM.values(g)["madds"]  # noqa: E731
        taken = np.append(madds(PROBLEM.front(context.history)[0].genes), madds(chosen[:1]))
        gap = np.abs(madds(pool)[:, None] - taken).min(axis=1)
        assert np.abs(madds(chosen[1:2]) - taken).min() == gap.max()

    def test_hypervolume_adds_more_than_the_papers_rule(self):
        context = self.context()
        _, F = PROBLEM.normalised(context.history)
        volumes = []
        for rule in (choose_paper, choose_hypervolume):
            chosen = rule(context, 4, np.random.default_rng(0))
            new = np.column_stack([context.predict(chosen)[0], PROBLEM.costs(chosen)])
            volumes.append(hypervolume(np.vstack([F, new])))
        assert volumes[1] > volumes[0] > hypervolume(F)

    def test_under_a_budget_the_most_accurate_within_it_are_looked_for(self):
        names = ("top1", "madds")
        problem = Problem(SPACE, make_objectives(SPACE, names, {}), names, {"madds": 150_000.0})
        context = self.context(problem)
        chosen = choose_hypervolume(context, 4, np.random.default_rng(0))
        many = genes(20_000, 5)
        best = context.predict(many[problem.excess(many) <= 0])[0].min()
        assert context.predict(chosen[:3])[0].max() <= best < context.predict(chosen[3:])[0].min()
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
        assert len(choose_paper(self.context(pool=genes(0)), 3, np.random.default_rng(0))) == 0
