"""What a space's networks cost, against all networks of a small space counted one by one."""

import numpy as np
import pytest

import hwnas
from hwnas.space import SearchSpace, Stage
from hwnas.space.overview import DRAWN

STAGES = (Stage(16, 2, "relu", False), Stage(24, 2, "hswish", True))
SPACE = SearchSpace(
    "mine", STAGES, resolutions=(32, 48), stem=8, final=64, mix=0, classes=3, depths=(1, 2), kernels=(3, 5)
)  # fmt: skip


def counted(name):
    return np.array([sum(getattr(x, name) for x in SPACE.layers(a)) for a in SPACE.decode(SPACE.all_genes())])


@pytest.mark.parametrize("name", ["params", "madds"])
def test_a_small_space_is_counted_whole(name):
    values, found = counted(name), SPACE.profile(budget={name: float(np.median(counted(name)))})
    spread = found.objectives[name]
    assert found.exact and found.size == found.looked_at == len(values)
    assert (spread.smallest, spread.largest) == (values.min(), values.max())
    assert spread.median == np.median(values) and spread.upper_quartile == np.quantile(values, 0.75)
    assert found.share.value == found.share.low == (values <= np.median(values)).mean()


def test_networks_are_drawn_evenly():
    """Deep stages have more networks than shallow ones."""
    genes = SPACE.sample_evenly(20_000, np.random.default_rng(0))
    assert np.array_equal(SPACE.canonical(genes), genes)
    expected = SPACE.profile().objectives["params"]
    values = SPACE.compile(lambda x: x.params).evaluate(genes[:, 0], SPACE.choices(genes))
    assert np.median(values) == pytest.approx(expected.median, rel=0.02)
    every = {tuple(row) for row in SPACE.all_genes().tolist()}
    seen = {tuple(row) for row in genes.tolist()}
    assert seen <= every and len(seen) == pytest.approx(len(every) * (1 - np.exp(-20_000 / len(every))), rel=0.02)


def test_a_large_space_is_sampled_and_its_extremes_are_exact():
    space = hwnas.get_space("mbv3")
    found = space.profile(budget={"params": 5e6})
    smallest, largest = (sum(x.params for x in space.layers(a)) for a in space.extremes())
    spread = found.objectives["params"]
    assert (spread.smallest, spread.largest, spread.exact) == (smallest, largest, True)
    assert found.looked_at == DRAWN and not found.exact
    assert 0 < found.share.low < found.share.value < found.share.high < 0.2


def test_of_a_function_of_networks_the_extremes_are_those_that_were_seen():
    class Mine:
        name, unit, minimise, least, most = "mine", "J", False, -np.inf, np.inf

        def evaluate(self, genes):
            return genes[:, 0].astype(float)

    found = hwnas.get_space("tiny").profile({"mine": Mine()}, {"mine": 2.0})
    spread = found.objectives["mine"]
    assert (spread.unit, spread.smallest, spread.exact) == ("J", 1.0, False)
    sizes = len(hwnas.get_space("tiny").resolutions)
    assert found.share.value == pytest.approx((sizes - 1) / sizes, abs=0.01)  # all but the smallest resolution
