from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest

from hwnas.space import get_space
from lut.estimate.experiment_design import plan
from lut.estimate.few_shot import features_of, fit
from profilers.errors import BadInput

pytestmark = pytest.mark.slow


@pytest.fixture
def space():
    return get_space("mbv3", [192, 224, 256])


def test_a_plan_is_of_different_networks_and_leaves_less_and_less(space):
    archs, left = plan(space, 12)
    assert len({json.dumps(a.to_json()) for a in archs}) == 12 and plan(space, 12)[0] == archs
    assert all(0 < b < a < 1 for a, b in pairwise(left))
    assert plan(space, 5)[0] == archs[:5]


def test_a_plan_among_given_networks(space):
    given = list(space.decode(space.sample(30, np.random.default_rng(3))))
    archs, _ = plan(space, 10, among=given)
    assert all(a in given for a in archs)
    with pytest.raises(BadInput, match="1 to 30"):
        plan(space, 31, among=given)
    with pytest.raises(BadInput):
        plan(space, 0)


def test_planned_networks_determine_the_features_better_than_random_ones(space):
    """The variance of a linear model's predictions over the space, relative to the noise of a measurement."""
    everyone = features_of(space, list(space.decode(space.sample(400, np.random.default_rng(1)))), 64)[:, :8]
    everyone /= everyone.sum(axis=1, keepdims=True)

    def variance(archs):
        x = features_of(space, archs, 64)[:, :8]
        x /= x.sum(axis=1, keepdims=True)
        scale = everyone.std(axis=0)
        inverse = np.linalg.inv((x / scale).T @ (x / scale) + 1e-2 * np.eye(8))
        return float(np.mean(np.einsum("ij,jk,ik->i", everyone / scale, inverse, everyone / scale)))

    random = [variance(list(space.decode(space.sample(20, np.random.default_rng(s))))) for s in range(20)]
    assert variance(plan(space, 20)[0]) < np.quantile(random, 0.1)


@pytest.fixture(scope="module")
def measured(published):
    rows = [json.loads(line) for line in (published / "help/ofa_gpu_latency.jsonl").read_text().splitlines()]
    space = get_space("mbv3", sorted({row["arch"]["r"] for row in rows}))
    archs = [space.parse(row["arch"]) for row in rows]
    return space, archs, {c: np.array([r["latency_ms"][c] for r in rows]) for c in rows[0]["latency_ms"]}


@pytest.mark.parametrize("column", ["titan_rtx_64", "titan_xp_64"])
def test_twenty_planned_networks_beat_random_ones(measured, column):
    space, archs, columns = measured
    genes, ms = space.encode(archs), columns[column]

    def figures(few):
        rest = np.setdiff1d(np.arange(len(archs)), few)
        predicted = fit(space, [archs[i] for i in few], ms[few], 64, column).bind(space).predict(genes[rest])
        inside = (predicted.low <= ms[rest]) & (ms[rest] <= predicted.high)
        return np.abs(predicted.ms / ms[rest] - 1).mean(), inside.mean()

    index = {json.dumps(a.to_json()): i for i, a in enumerate(archs)}
    planned, covered = figures([index[json.dumps(a.to_json())] for a in plan(space, 20, among=archs)[0]])
    random = [figures(np.random.default_rng(draw).permutation(len(archs))[:20])[0] for draw in range(5)]
    assert planned < np.mean(random) and 0.92 <= covered <= 1.0
