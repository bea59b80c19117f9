"""Shares of tight budgets, against all networks of a small space counted one by one."""

import numpy as np
import pytest

import hwnas
from hwnas.space import overview
from hwnas.space.cost import CostArray
from hwnas.space.tilted import Tilted, estimate, tilted_to
from tests.hwnas.space.test_overview import SPACE

GENES = SPACE.all_genes()


def cost(name):
    """In units of its spread over the space."""
    sums = overview.counted(SPACE)[name].sums
    spread = sums.evaluate(GENES[:, 0], SPACE.choices(GENES)).std()
    return CostArray(sums.base / spread, sums.cost / spread)


def values(of):
    return of.evaluate(GENES[:, 0], SPACE.choices(GENES))


@pytest.mark.parametrize("tilt", [(0.0, 0.0), (1.5, 0.3), (0.0, 40.0)])
def test_the_distribution_is_that_of_all_networks_weighted(tilt):
    costs = [cost("params"), cost("madds")]
    at = Tilted(SPACE, costs, np.array(tilt))
    weights = np.exp(-sum(t * values(c) for t, c in zip(tilt, costs, strict=True)))
    assert at.log_z == pytest.approx(np.log(weights.sum()))
    np.testing.assert_allclose(at.means(), [(values(c) * weights).sum() / weights.sum() for c in costs])
    drawn = at.draw(4000, np.random.default_rng(0))
    assert np.array_equal(SPACE.canonical(drawn), drawn)
    found = [c.evaluate(drawn[:, 0], SPACE.choices(drawn)).mean() for c in costs]
    np.testing.assert_allclose(found, at.means(), atol=0.07)
    likelier = dict(zip(map(bytes, GENES), -np.log(len(GENES) * weights / weights.sum()), strict=True))
    np.testing.assert_allclose(at.log_weights(drawn[:50]), [likelier[bytes(row)] for row in drawn[:50]], atol=1e-9)


def test_the_tilt_brings_costs_to_their_limits_and_leaves_loose_ones_alone():
    costs = [cost("params"), cost("madds")]
    low = np.quantile(values(costs[0]), 0.001)
    found = tilted_to(Tilted(SPACE, costs, np.zeros(2)), np.array([low, values(costs[1]).max()]))
    assert found.tilt[0] > 1 and found.tilt[1] == 0
    assert found.means()[0] == pytest.approx(low, abs=0.1)


@pytest.mark.parametrize("share", [2e-4, 1e-3, 5e-3])
def test_a_tight_budgets_share_is_that_of_all_networks(share, monkeypatch):
    costs = overview.counted(SPACE)
    limits = {name: float(np.quantile(costs[name].evaluate(GENES), share**0.6)) for name in ("params", "madds")}
    true = SPACE.profile(budget=limits).share
    monkeypatch.setattr(overview, "LISTED", 0)  # as if the space were large
    monkeypatch.setattr(overview, "DRAWN", 2000)
    found = SPACE.profile(budget=limits).share
    assert true.how == overview.COUNTED and found.how == overview.WEIGHTED and 0 < true.value < 0.05
    assert found.low <= true.value <= found.high and found.high / found.low < 1.3


def test_what_is_maximised_and_what_is_no_sum_count_too():
    """At least so many params, and of the resolutions, which are independent of them, the smallest only."""

    class Pixels:
        name, unit, minimise, least, most = "pixels", "", True, -np.inf, np.inf

        def evaluate(self, genes):
            return genes[:, 0].astype(float)

    space = hwnas.get_space("tiny")
    params = overview.counted(space)["params"]
    most = overview.Count("most", params.evaluate, params.least, params.most, params.sums, minimise=False)
    limit = 0.97 * params.most
    alone = space.profile({"most": most}, {"most": limit}).share
    both = space.profile({"most": most, "pixels": Pixels()}, {"most": limit, "pixels": 1.0}).share
    assert alone.how == both.how == overview.WEIGHTED
    assert both.value == pytest.approx(alone.value / len(space.resolutions), rel=0.1)


def test_nothing_within_is_a_share_of_none():
    assert estimate(np.zeros(5), np.zeros(5, bool)) == (0.0, 0.0, 0.0, 0)
