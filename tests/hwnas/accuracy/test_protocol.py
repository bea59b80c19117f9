"""Which way of evaluation a given time allows, and that both ways run as `supernet:CKPT`."""

from __future__ import annotations

import pytest
import torch

from hwnas.accuracy import open_accuracy
from hwnas.accuracy.protocol import EPOCHS, Pace, choose, middle, network_seconds, timed
from hwnas.nets import Supernet
from hwnas.nets.checkpoint import open_supernet
from hwnas.space import get_space
from hwnas.train import SupernetConfig, train_supernet
from hwnas.train.config import Phase
from profilers.errors import BadInput
from tests import drawings
from tests.hwnas import ofa_cases

SPACE = get_space("tiny", [12, 14], classes=10)
PACE = Pace(training=3e-3, evaluation=1e-3)


@pytest.fixture(scope="module")
def digits():
    from hwnas.data import get_dataset

    return get_dataset("digits")


def test_a_network_costs_what_it_looks_at(digits):
    train, val = digits.size("train"), digits.size("val")
    plain, tuned = (network_seconds(digits, PACE, epochs) for epochs in (0, EPOCHS))
    assert plain == pytest.approx(1e-3 * (val * (1 + digits.views) + 512))
    assert tuned - plain == pytest.approx(5 * train * 3e-3 + 512e-3)


def test_the_time_chooses(digits):
    tuned = 20 * network_seconds(digits, PACE, EPOCHS)
    rich = choose(SPACE, digits, 20, tuned + 1, classes=1000, pace=PACE)
    assert (rich.kind, rich.options, rich.fits, rich.training) == ("finetuned", {"finetune_epochs": 5}, True, 0.0)
    assert str(rich).startswith("5 epochs of fine-tuning with a new classifier for each of 20 networks, as the paper: ")
    assert "(10 classes instead of the supernet's 1000)" in str(rich)
    poor = choose(SPACE, digits, 20, tuned - 1, classes=1000, pace=PACE)
    assert (poor.kind, poor.options, poor.fits) == ("head", {}, True)
    assert str(poor).startswith("20 networks without fine-tuning, by a supernet with a trained head: about ")
    assert poor.training == pytest.approx(tuned - 1 - poor.seconds)
    assert f"5 epochs for each of 20 networks would take {tuned:,.0f} s" in str(poor)
    same = choose(SPACE, digits, 20, 1e9, classes=10, pace=PACE)
    assert (same.kind, same.options) == ("inherited", {}) == (choose(SPACE, digits, 20, 1e9, pace=PACE).kind, {})
    late = choose(SPACE, digits, 20, 1.0, classes=1000, pace=PACE)
    assert not late.fits and "which is more than 1 s: fewer evaluations, or more time" in str(late)
    with pytest.raises(BadInput, match="evaluations"):
        choose(SPACE, digits, 0, 1.0, pace=PACE)


def test_an_average_network_is_timed(digits):
    pace = timed(SPACE, digits)
    assert 0 < pace.evaluation < pace.training and pace.preparation > 0
    low, high = (sum(x.madds for x in SPACE.layers(arch)) for arch in SPACE.extremes())
    assert low < sum(x.madds for x in SPACE.layers(middle(SPACE))) < high


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A supernet in once-for-all's form, of other classes than the digits."""
    path = tmp_path_factory.mktemp("published") / "ofa.pth"
    torch.save({"state_dict": ofa_cases.in_their_names(Supernet(get_space("tiny", classes=7)))}, path)
    return path


def test_the_papers_protocol_runs_and_the_refusal_names_both_ways(published, tmp_path):
    drawings.make(tmp_path / "images", classes=3, per_class=10, size=16)
    space, options = SPACE.with_classes(3), {"dataset": f"folder:{tmp_path / 'images'}", "calibration": 4}
    with pytest.raises(BadInput) as caught:
        open_accuracy(f"supernet:{published}", space, options)
    line = str(caught.value)
    assert "a supernet of 7 classes without fine-tuning; allowed: 3 classes, as the space" in line
    assert "finetune_epochs = 5 in [evaluate]" in line and f'init = "{published}"' in line and "\n" not in line
    source = open_accuracy(f"supernet:{published}", space, {**options, "finetune_epochs": 5})
    assert 0 <= source.evaluate(space.extremes(12)[0]) <= 100 and source.recipe.batch == 16
    few = open_accuracy(f"supernet:{published}", space, {**options, "finetune_epochs": 1, "finetune_batch": 8})
    assert few.recipe.batch == 8
    with pytest.raises(BadInput, match="finetune_batch 1; allowed: 2 or more"):
        open_accuracy(f"supernet:{published}", space, {**options, "finetune_batch": 1})


def test_a_head_that_was_trained_needs_no_fine_tuning(published, tmp_path):
    drawings.make(tmp_path / "images", classes=3, per_class=10, size=16)
    dataset, out = f"folder:{tmp_path / 'images'}", tmp_path / "mine.safetensors"
    phases = (Phase("head", steps=2, head=True, resolutions=0, kernels=0, depths=0, expands=0),)
    train_supernet(SupernetConfig("tiny", dataset, out, SPACE.resolutions, init=published, phases=phases))
    source = open_accuracy(f"supernet:{out}", SPACE.with_classes(3), {"calibration": 4})
    theirs, mine = open_supernet(published, None)[0], source.supernet
    assert (theirs.space.classes, mine.space.classes, source.finetune_epochs) == (7, 3, 0)
    assert torch.equal(mine.slots[0].depth.conv.weight, theirs.slots[0].depth.conv.weight)  # the backbone is inherited
    assert 0 <= source.evaluate(SPACE.extremes(12)[0]) <= 100
