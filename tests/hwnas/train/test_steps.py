"""Lengths in steps, weights to begin with, a head alone, and what is no better than guessing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from hwnas.nets import Supernet
from hwnas.nets.checkpoint import Provenance, save_supernet
from hwnas.settings import build
from hwnas.space import get_space
from hwnas.train import FinetuneConfig, Phase, Recipe, SupernetConfig, train_supernet
from hwnas.train.defaults import finetune_defaults, supernet_defaults
from hwnas.train.guessing import guessing
from hwnas.train.optimise import class_weights, loss_of
from hwnas.train.pace import networks_seconds, own_networks, phases_seconds
from hwnas.train.schedule import Schedule
from profilers.errors import BadInput

torch.set_num_threads(1)
ALL = {"resolutions": 0, "kernels": 0, "depths": 0, "expands": 0}


def short(folder: Path, *phases: Phase, **changes) -> SupernetConfig:
    made = SupernetConfig("tiny", "digits", folder / "s.safetensors", (12,), phases=phases, recipe=Recipe(batch=256))
    return replace(made, **changes)


def weights(config: SupernetConfig, **how) -> dict[str, torch.Tensor]:
    return train_supernet(config, **how)[0].state_dict()


def test_the_last_pass_may_be_part_of_one():
    schedule = Schedule.of(None, 10, 997, 256)
    assert (schedule.passes, [schedule.length(i) for i in range(3)]) == (3, [4, 4, 2])
    assert Schedule.of(2, None, 997, 256) == Schedule(8, 4)


@pytest.mark.slow
def test_steps_of_whole_passes_are_as_many_epochs(tmp_path):
    by_steps = weights(short(tmp_path, Phase("a", lr=0.1, steps=4)))
    by_epochs = weights(short(tmp_path, Phase("a", 1, 0.1), out=tmp_path / "t.safetensors"))
    assert all(torch.equal(by_steps[k], by_epochs[k]) for k in by_steps)


@pytest.mark.parametrize(("changes", "message"), [
    ({"epochs": 2, "steps": 9}, "phase 'a' of both epochs = 2 and steps = 9; allowed: one of them"),
    ({}, "phase 'a' without steps; allowed: steps = N, or epochs = N"),
])  # fmt: skip
def test_a_phase_has_one_length(changes, message):
    with pytest.raises(BadInput) as found:
        Phase("a", **changes)
    assert str(found.value) == message


def test_fine_tuning_has_one_length():
    with pytest.raises(BadInput, match="fine-tuning of both epochs = 1 and steps = 2; allowed: one of them"):
        FinetuneConfig("digits", Path("a"), Path("o"), space="tiny", epochs=1, steps=2)


@pytest.mark.slow
@pytest.mark.parametrize("classes", [10, 3])
def test_a_head_is_trained_on_weights_of_other_classes(tmp_path, classes):
    source, init = Supernet(get_space("tiny", [16], classes), seed=5), tmp_path / "init.safetensors"
    save_supernet(init, source, Provenance("other", (0.5,), (0.2,)))
    config = short(tmp_path, Phase("head", lr=0.1, steps=2, head=True, **ALL), init=init)
    found, before = weights(config), source.state_dict()
    learnt = {k for k in found if found[k].shape != before[k].shape or not torch.equal(found[k], before[k])}
    statistics = {k for k in found if k.endswith(("running_mean", "running_var", "num_batches_tracked"))}
    assert learnt - statistics == {"classifier.linear.conv.weight", "classifier.linear.conv.bias"}
    assert all(torch.equal(found[k], value) for k, value in weights(config, resume=True).items())
    save_supernet(init, Supernet(get_space("tiny", [16], classes), seed=6), Provenance("other", (0.5,), (0.2,)))
    with pytest.raises(BadInput, match="another configuration: init_sha256 was"):
        train_supernet(config, resume=True)
    with pytest.raises(BadInput, match="another configuration: init_sha256 was"):
        train_supernet(replace(config, init=None), resume=True)


@pytest.mark.slow
def test_what_is_no_better_than_guessing_is_said_after_the_first_phase(tmp_path, capsys):
    _, provenance = train_supernet(short(tmp_path, Phase("a", lr=1e-9, steps=1), Phase("b", lr=1e-9, steps=1)))
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "guessing" in line]
    first, second = provenance.training["history"]
    assert line == f"hwnas: {first['warning']}" and "warning" not in second
    assert "after phase a, its largest network is no better than guessing: top-1 " in line and "init = FILE" in line


def test_better_than_guessing_is_beyond_the_interval_of_the_commonest_class():
    labels = np.repeat([0, 1], [60, 40])
    assert "commonest class has 60.0 %" in guessing(60.0, labels) and guessing(65.0, labels)
    assert guessing(75.0, labels) == ""


@pytest.mark.parametrize("images", [3, 224, 5000])
@pytest.mark.parametrize("name", ["small", "mbv3"])
@pytest.mark.parametrize("initialised", [True, False])
def test_defaults_are_configurations(images, name, initialised):
    space, common = get_space(name), {"dataset": "digits", "out": "o", "space": name}
    made = supernet_defaults(space, images, initialised=initialised, balance=9.0)
    config = build(SupernetConfig, {**common, **made}, "")
    assert config.phases[0].head == initialised and config.recipe.batch <= max(images, 2)
    assert sum(phase.steps or 0 for phase in config.phases) >= 300 and config.recipe.class_weights
    tuned = finetune_defaults(space, images, initialised=initialised)
    assert build(FinetuneConfig, {**common, "archs": "a", **tuned}, "").steps == tuned["steps"] >= 200
    assert {*made.reasons} > {"phases", "recipe.batch"} and {*tuned.reasons} > {"steps", "lr"}


def test_defaults_fit_into_the_time(monkeypatch):
    monkeypatch.setattr("hwnas.train.defaults.phases_seconds", lambda *_: 0.9)
    monkeypatch.setattr("hwnas.train.defaults.step_seconds", lambda *_: 0.5)
    made = supernet_defaults(get_space("small"), 997, initialised=False, seconds=90)
    assert sum(phase["steps"] for phase in made["phases"]) == pytest.approx(100, abs=3)
    assert "as many as 90 s allow (estimated), fewer than" in made.reasons["phases"]
    assert finetune_defaults(get_space("small"), 997, initialised=True, seconds=1)["steps"] == 2
    quicker = finetune_defaults(get_space("small"), 997, initialised=True, seconds=1, pace=lambda batch: 0.1)
    assert quicker["steps"] == 10


def test_a_phase_takes_what_its_networks_take(monkeypatch):
    monkeypatch.setattr("hwnas.train.pace.step_seconds", lambda *_: 6.0)
    monkeypatch.setattr("hwnas.train.pace._drawn_seconds", lambda *_: 2.0)
    phases = [
        {"steps": 1},
        {"steps": 3, "networks": 2, "kernels": 0},
    ]  # 6 s; 2 x 2 s, and 2 s of the teacher
    assert phases_seconds(get_space("small"), 8, phases) == (6 + 3 * 6) / 4


def test_networks_are_timed_as_they_are(monkeypatch):
    seen = []
    monkeypatch.setattr("hwnas.train.pace._step", lambda call, images: seen.append(tuple(images.shape)) or 1.0)
    space = get_space("tiny")
    assert networks_seconds(own_networks(space, space.extremes()), 32) == 2.0  # of 16 images each
    assert {*seen} == {(16, space.in_channels, size, size) for size in (space.resolutions[0], space.resolutions[-1])}


def test_classes_of_few_images_count_more():
    found = class_weights(torch.tensor([0] * 6 + [1] * 2 + [2]), 4)
    assert found.tolist() == pytest.approx([9 / 24, 9 / 8, 9 / 4, 9 / 4])  # the class without images as one of one
    logits, labels, plain = torch.tensor([[2.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 1]), Recipe(label_smoothing=0)
    heavy = loss_of(logits, labels, None, plain, torch.tensor([9.0, 1.0]))
    assert heavy < loss_of(logits, labels, None, plain)  # the first, which is right, counts more
    assert class_weights(torch.tensor([0] * 1000 + [1]), 2)[1] == 10
