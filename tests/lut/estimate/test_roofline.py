from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import spearmanr

from hwnas.space import get_space
from lut import load, save
from lut.estimate.cards import GPUS, SM_CORES, get_gpu
from lut.estimate.kernels import kernels
from lut.estimate.roofline import TRUST, estimate, scaled
from profilers.errors import BadInput

UNKNOWN_PAGES = ("GTX 1080 Ti", "Titan Xp", "RTX 2080 Ti", "Titan RTX", "V100", "T4", "A10")


def test_every_card_has_numbers_with_a_source():
    for card in GPUS.values():
        assert 1 < card.tflops < 200 and 50 < card.gb_s < 10_000 and "NVIDIA" in card.source
        assert get_gpu(card.name) == card


@pytest.mark.parametrize("card", GPUS.values(), ids=GPUS)
def test_every_data_sheet_is_complete_and_agrees_with_itself(card):
    """Whole multiprocessors; peak = cores x 2 x clock; bandwidth = bits x rate. What is not stated is said to be so."""
    assert card.sms == int(card.sms) >= 6 and card.capability in SM_CORES
    assert (card.mhz is None) == ("clock not stated" in card.source) and "seen: " in card.source
    assert card.url.startswith("https://") or card.name in UNKNOWN_PAGES
    if card.mhz is not None:
        assert 2e-6 * card.cores * card.mhz == pytest.approx(card.tflops, rel=0.01)
    if card.memory is not None:
        bits, rate = card.memory
        assert bits * rate / 8 == pytest.approx(card.gb_s, rel=0.01)


@pytest.mark.parametrize(
    "name",
    [
        "H100",
        "H200",
        "L40S",
        "RTX A6000",
        "RTX 4060",
        "RTX 4060 Ti",
        "RTX 4070",
        "RTX 4070 SUPER",
        "RTX 4070 Ti",
        "RTX 4070 Ti SUPER",
        "RTX 4080",
        "RTX 4080 SUPER",
        "RTX 4090",
        "RTX 5070",
        "RTX 5070 Ti",
        "RTX 5080",
        "RTX 5090",
        "Jetson AGX Orin",
        "Jetson Orin Nano",
        "Jetson AGX Thor",
    ],
)
def test_the_cards_that_people_have_are_there_as_the_driver_names_them(name):
    assert get_gpu(name).name == name == get_gpu(f"NVIDIA GeForce {name}").name


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
