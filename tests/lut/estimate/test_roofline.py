from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import spearmanr

from hwnas.space import get_space
from lut import load, save
from lut.estimate.cards import GPUS, get_gpu
from lut.estimate.kernels import kernels
from lut.estimate.roofline import TRUST, estimate, scaled
from profilers.errors import BadInput


def test_every_card_has_numbers_with_a_source():
    for card in GPUS.values():
        assert 1 < card.tflops < 200 and 50 < card.gb_s < 10_000 and "NVIDIA" in card.source
        assert get_gpu(card.name) == card


@pytest.mark.parametrize("name", ["1080ti", "GTX-1080-Ti", "nvidia geforce gtx 1080 ti", "gtx1080ti"])
def test_spellings(name):
    assert get_gpu(name).name == "GTX 1080 Ti"


@pytest.mark.parametrize("name", ["", "1080", "voodoo 2"])
def test_unknown_cards(name):
    with pytest.raises(BadInput, match="GTX 1080 Ti"):
        get_gpu(name)


def test_kernels_hold_all_multiply_adds():
    space = get_space("mbv3")
    for layer in space.all_layers():
        assert sum(k.macs for k in kernels(layer, 4)) == 4 * layer.madds


def test_estimates_say_what_they_are(tmp_path):
    space = get_space("mbv3", [192, 224])
    table = estimate(space, "GTX 1080 Ti")
    assert (table.status, table.fingerprint, table.options.batch) == ("estimated", None, 64)
    assert "ranker" in table.interval_source and "data sheet" in table.interval_source
    save(table, tmp_path / "t.json")
    assert load(tmp_path / "t.json") == table


def test_bigger_batches_and_slower_cards_take_longer():
    space = get_space("mbv3", [224])
    genes = space.sample(20, np.random.default_rng(0))

    def ms(gpu, batch=64):
        return estimate(space, gpu, batch).bind(space).predict(genes).ms

    assert (ms("H100") < ms("A10")).all() and (ms("A10") < ms("1080 Ti")).all() and (ms("A10", 1) < ms("A10")).all()
    with pytest.raises(BadInput):
        estimate(space, "A10", 0)


@pytest.mark.parametrize(("card", "column"), [("Titan RTX", "titan_rtx_64"), ("Titan Xp", "titan_xp_64")])
def test_ranks_published_measurements(published, card, column):
    rows = [json.loads(line) for line in (published / "help/ofa_gpu_latency.jsonl").read_text().splitlines()]
    space = get_space("mbv3", sorted({row["arch"]["r"] for row in rows}))
    genes = space.encode([space.parse(row["arch"]) for row in rows])
    measured = np.array([row["latency_ms"][column] for row in rows])
    predicted = estimate(space, card).bind(space).predict(genes)
    assert spearmanr(predicted.ms, measured).statistic >= 0.98
    inside = (predicted.low <= measured) & (measured <= predicted.high)
    assert inside.mean() >= TRUST.coverage


@pytest.mark.slow
@pytest.mark.parametrize(("card", "column"), [("Titan RTX", "titan_rtx_64"), ("Titan Xp", "titan_xp_64")])
def test_one_measured_network_gives_milliseconds(published, card, column):
    rows = [json.loads(line) for line in (published / "help/ofa_gpu_latency.jsonl").read_text().splitlines()]
    space = get_space("mbv3", sorted({row["arch"]["r"] for row in rows}))
    archs, measured = [space.parse(r["arch"]) for r in rows], np.array([r["latency_ms"][column] for r in rows])
    inside = []
    for i in range(0, len(rows), 250):
        table = scaled(estimate(space, card), space, archs[i : i + 1], measured[i : i + 1].tolist())
        predicted = table.bind(space).predict(space.encode(archs))
        assert table.status == "fitted" and predicted.ms[i] == pytest.approx(measured[i])
        inside.append(np.mean((predicted.low <= measured) & (measured <= predicted.high)))
    assert np.mean(inside) >= table.interval.coverage


@pytest.mark.parametrize("times", [[], [0.0], [float("nan")], [1.0, 2.0]])
def test_scaling_needs_measured_times(times):
    space = get_space("mbv3", [224])
    with pytest.raises(BadInput):
        scaled(estimate(space, "A10"), space, space.extremes()[:1], times)
