from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import spearmanr

from hwnas.space import get_space
from lut import load, save
from lut.estimate.few_shot import fit
from profilers.errors import BadInput


def test_a_linear_device_is_found_exactly(tmp_path):
    space = get_space("mbv3", [192, 224])
    archs = space.decode(space.sample(30, np.random.default_rng(0)))
    times = [sum(1e-9 * layer.madds + 0.02 * (layer.kind == "linear") for layer in space.layers(a)) for a in archs]
    table = fit(space, archs[:20], times[:20], 64, "a device")
    np.testing.assert_allclose(table.bind(space).predict(space.encode(archs[20:])).ms, times[20:], rtol=1e-3)
    assert (table.status, table.device, table.fingerprint) == ("fitted", "a device", None)
    save(table, tmp_path / "t.json")
    assert load(tmp_path / "t.json") == table


@pytest.mark.parametrize("times", [[1.0] * 4, [1.0] * 5 + [0.0], [1.0] * 5 + [float("nan")], [-1.0] * 6])
def test_impossible_measurements(times):
    space = get_space("tiny")
    with pytest.raises(BadInput):
        fit(space, space.decode(space.sample(len(times), np.random.default_rng(0))), times, 64, "x")


def test_predictions_are_never_negative():
    space = get_space("tiny")
    rng = np.random.default_rng(0)
    archs = space.decode(space.sample(8, rng))
    table = fit(space, archs, rng.uniform(1, 2, 8), 1, "noise")
    assert (table.bind(space).predict(space.sample(500, rng)).ms > 0).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("column", "mape", "within_5", "rank"), [("titan_rtx_64", 0.015, 0.97, 0.998), ("titan_xp_64", 0.035, 0.7, 0.994)]
)
def test_twenty_published_networks_are_enough(published, column, mape, within_5, rank):
    rows = [json.loads(line) for line in (published / "help/ofa_gpu_latency.jsonl").read_text().splitlines()]
    space = get_space("mbv3", sorted({row["arch"]["r"] for row in rows}))
    archs = [space.parse(row["arch"]) for row in rows]
    genes, measured = space.encode(archs), np.array([row["latency_ms"][column] for row in rows])
    figures = []
    for draw in range(5):
        order = np.random.default_rng(draw).permutation(len(rows))
        few, rest = order[:20], order[20:]
        table = fit(space, [archs[i] for i in few], measured[few], 64, column)
        predicted = table.bind(space).predict(genes[rest])
        error = np.abs(predicted.ms / measured[rest] - 1)
        inside = (predicted.low <= measured[rest]) & (measured[rest] <= predicted.high)
        figures.append(
            (error.mean(), (error <= 0.05).mean(), spearmanr(predicted.ms, measured[rest])[0], inside.mean())
        )
    means = np.mean(figures, axis=0)
    assert means[0] <= mape and means[1] >= within_5 and means[2] >= rank and 0.92 <= means[3] <= 0.99
