"""Training: it learns, it resumes to the same weights, and its parts do what they say."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from hwnas.accuracy.supernet import SupernetAccuracy, inherit
from hwnas.cli import main
from hwnas.data import get_dataset
from hwnas.nets import Network, Supernet
from hwnas.nets.checkpoint import load_network, load_supernet
from hwnas.nets.tensorfile import read_tensors
from hwnas.space import Architecture, get_space
from hwnas.train import (
    Phase,
    Recipe,
    SupernetConfig,
    evaluate,
    finetune,
    progressive_shrinking,
    recalibrate,
    train_supernet,
)
from hwnas.train.elastic import Elastic, sort_channels
from hwnas.train.evaluate import top1
from hwnas.train.optimise import learning_rate, steps_per_epoch
from profilers.errors import BadInput

torch.set_num_threads(1)

SPACE = get_space("tiny", [12, 16])
SHORT = (
    Phase("largest", 2, 0.2, resolutions=0),
    Phase("kernel", 1, 0.1, resolutions=0, kernels=0),
    Phase("expand", 2, 0.1, 2, resolutions=0, kernels=0, depths=0, expands=0, sandwich=True),
)


def short(folder, name="s", **changes) -> SupernetConfig:
    out, recipe = folder / f"{name}.safetensors", Recipe(batch=128)
    return replace(SupernetConfig("tiny", "digits", out, (12, 16), seed=1, recipe=recipe, phases=SHORT), **changes)


@pytest.fixture
def few(root):
    """24 grey images of three classes: steps that take no time."""
    return {"dataset": f"folder:{root}?channels=1", "recipe": Recipe(batch=8)}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    config = short(tmp_path_factory.mktemp("train"))
    train_supernet(config)
    return config


# --- progressive shrinking ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_short_training_learns(trained):
    supernet, provenance = load_supernet(trained.out, SPACE)
    history = provenance.training["history"]
    assert [row["phase"] for row in history] == ["largest", "kernel", "expand"]
    assert history[-1]["largest"] > 40 and history[-1]["smallest"] > 25  # chance is 10
    assert not supernet.training and not trained.out.with_name("s.safetensors.training").exists()
    matrix = supernet.slots[0].part("depth").get_parameter("7to5_matrix")
    assert not torch.equal(matrix, torch.eye(25))


@pytest.mark.slow
def test_interrupted_anywhere_and_resumed_it_ends_in_the_same_weights(few, tmp_path, monkeypatch):
    whole, config = short(tmp_path, "whole", **few), short(tmp_path, **few)
    train_supernet(whole)
    save, count = progressive_shrinking.SupernetRun.save, [0]

    def dying(run):
        save(run)
        count[0] += 1
        if count[0] in (1, 3, 5):  # within phases and between them
            raise KeyboardInterrupt

    monkeypatch.setattr(progressive_shrinking.SupernetRun, "save", dying)
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            train_supernet(config)
        assert not config.out.exists()
    train_supernet(config)
    (ours, head), (theirs, expected) = read_tensors(config.out), read_tensors(whole.out)
    assert head == expected and ours.keys() == theirs.keys()
    assert all(torch.equal(ours[k], theirs[k]) for k in ours)


@pytest.mark.slow
def test_an_unfinished_training_is_not_lost_or_mixed_up(few, tmp_path, monkeypatch):
    config = short(tmp_path, phases=SHORT[:1], **few)
    save = progressive_shrinking.SupernetRun.save

    def dying(run):
        save(run)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(progressive_shrinking.SupernetRun, "save", dying)
        with pytest.raises(KeyboardInterrupt):
            train_supernet(config)
    with pytest.raises(BadInput, match=r"unfinished training; try: another out .*--fresh"):
        train_supernet(config, resume=False)
    with pytest.raises(BadInput, match=r"seed was 1, is 2; allowed: the same; try: another out .*--fresh"):
        train_supernet(replace(config, seed=2))
    state = config.out.with_name(config.out.name + ".training")
    state.write_bytes(state.read_bytes()[:-1])
    with pytest.raises(BadInput, match="truncated"):
        train_supernet(config)


@pytest.mark.slow
def test_a_finished_training_is_taken_as_it_is(trained):
    before = trained.out.stat().st_mtime_ns
    _, provenance = train_supernet(trained)
    assert trained.out.stat().st_mtime_ns == before and provenance.training["epochs"] == 5
    with pytest.raises(BadInput, match="seed was 1, is 5"):
        train_supernet(replace(trained, seed=5))
    with pytest.raises(BadInput, match="holds a trained supernet"):
        train_supernet(trained, resume=False)


def test_what_cannot_be_trained_is_refused_before_anything_is_written(tmp_path):
    cases = {
        "unknown space": {"space": "tinny"},
        "unknown data set": {"dataset": "mnist"},
        "kernels = 4": {"phases": (Phase("p", 1, 0.1, kernels=4),)},
    }
    for message, changes in cases.items():
        with pytest.raises(BadInput, match=message):
            train_supernet(short(tmp_path, **changes))
    assert list(tmp_path.iterdir()) == []


def test_phases_allow_the_largest_choices_only():
    elastic = Elastic.of(SPACE, Phase("p", 1, 0.1, kernels=2, depths=2, expands=1, resolutions=1))
    assert (elastic.allowed("kernel"), elastic.allowed("expand")) == ((5, 7), (6,))
    assert (elastic.depths, elastic.resolutions) == ((2, 3), (16,))
    rng = np.random.default_rng(0)
    for arch in (elastic.sample(rng, 16) for _ in range(50)):
        SPACE.check(arch)
        assert set(arch.ks) <= {5, 7} and set(arch.d) <= {2, 3} and set(arch.e) == {6}
    largest, smallest, other = elastic.networks(Phase("p", 1, 0.1, 3, sandwich=True), rng, 16)
    assert largest == SPACE.extremes(16)[1] and smallest == Architecture((2,) * 3, (5,) * 6, (6,) * 6, 16)
    assert other not in (largest, smallest)


@pytest.mark.slow
def test_sorting_channels_keeps_the_largest_network_and_orders_importance():
    supernet = Supernet(SPACE, seed=1)
    x = torch.randn(8, 1, 16, 16)
    arch = SPACE.extremes(16)[1]
    supernet.train()
    with torch.no_grad():
        supernet(x, arch)
        supernet.eval()
        before = supernet(x, arch)
        sort_channels(supernet, 1)
        after = supernet(x, arch)
    assert (before - after).abs().max() < 1e-4 * before.abs().max()
    for slot in supernet.slots:
        importance = slot.part("project").conv.weight.abs().sum((0, 2, 3))
        assert (importance.diff() <= 0).all()


@pytest.mark.slow
def test_sorting_again_keeps_the_channels_of_widths_that_are_trained():
    supernet = Supernet(SPACE, seed=1)
    weight = supernet.slots[1].part("depth").conv.weight  # 8 -> 32 or 48 channels at expand 4 and 6
    before = {tuple(row.flatten().tolist()) for row in weight[:32].detach()}
    sort_channels(supernet, 2)
    assert {tuple(row.flatten().tolist()) for row in weight[:32].detach()} == before


# --- parts ---------------------------------------------------------------------------------------------------------


def test_learning_rate_rises_then_falls_to_nearly_zero():
    rates = [learning_rate(s, 100, 0.4, 0.1) for s in range(100)]
    assert max(rates) == rates[10] == 0.4 and rates[:11] == sorted(rates[:11])
    assert rates[10:] == sorted(rates[10:], reverse=True) and rates[-1] < 1e-3
    assert [steps_per_epoch(n, 64) for n in (10, 95, 97, 128, 997)] == [1, 1, 2, 2, 16]


def test_recalibration_sets_statistics_to_those_of_the_images():
    arch = SPACE.extremes(12)[0]
    network = Network(SPACE.layers(arch), arch)
    images = torch.randn(96, 1, 12, 12) * 3 + 1
    batches = [(part, None) for part in torch.split(images, 40)]  # the last has 16
    recalibrate(network, batches)
    stem = network.layers[0].conv
    y = stem.conv(images)
    assert torch.allclose(stem.norm.running_mean, y.mean((0, 2, 3)), atol=1e-5)
    assert torch.allclose(stem.norm.running_var, y.var((0, 2, 3)), rtol=1e-5)
    assert not network.training and stem.norm.momentum == 0.1
    again = stem.norm.running_mean.clone()
    recalibrate(network, batches)
    assert torch.equal(stem.norm.running_mean, again)


def test_evaluate_counts_right_answers_in_percent():
    class Echo(torch.nn.Module):
        def forward(self, x):
            return torch.nn.functional.one_hot(x.flatten().long(), 4).float()

    labels = torch.tensor([0, 1, 2, 3, 0, 1, 2, 3])
    images = torch.tensor([0, 1, 2, 3, 0, 1, 0, 0.0]).view(-1, 1, 1, 1)
    assert evaluate(Echo(), zip(images.split(3), labels.split(3), strict=True)) == 75.0


@pytest.mark.slow
def test_fine_tuning_improves_and_is_deterministic(trained):
    dataset = get_dataset("digits")
    arch = SPACE.extremes(12)[0]
    network, _ = inherit(trained.out, SPACE, arch)
    before, found = top1(network, dataset, "val", 12), []
    for _ in range(2):
        network, _ = inherit(trained.out, SPACE, arch)
        finetune(network, dataset, epochs=1, lr=0.1, recipe=Recipe(dropout=0.1), seed=3)
        found.append((top1(network, dataset, "val", 12), network.state_dict()))
    assert found[0][0] > before + 5
    assert all(torch.equal(v, found[1][1][k]) for k, v in found[0][1].items())


# --- accuracy for the search -----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_accuracy_is_the_same_for_the_same_architecture(trained):
    accuracy = SupernetAccuracy(trained.out, SPACE)
    small, large = SPACE.extremes(12)
    first = accuracy.evaluate(small)
    assert accuracy.evaluate(large) != first and accuracy.evaluate(small) == first
    assert SupernetAccuracy(trained.out, SPACE).evaluate(small) == first
    assert 0 <= first <= 100 and (first * 20) % 1 == pytest.approx(0, abs=1e-9)  # 400 images, five views: 0.05 % steps
    assert SupernetAccuracy(trained.out, SPACE, views=0, finetune_epochs=1).evaluate(small) > first


@pytest.mark.slow
def test_accuracy_refuses_what_does_not_fit(trained):
    with pytest.raises(BadInput, match="resolution 14 was not trained; allowed: 12, 16"):
        SupernetAccuracy(trained.out, get_space("tiny"))
    with pytest.raises(BadInput, match="space tiny"):
        SupernetAccuracy(trained.out, get_space("mbv3"))
    with pytest.raises(BadInput, match="a split 'valid'"):
        SupernetAccuracy(trained.out, SPACE, split="valid")
    with pytest.raises(BadInput, match="views -1"):
        SupernetAccuracy(trained.out, SPACE, views=-1)
    with pytest.raises(BadInput, match="resolution 20 is not in space"):
        SupernetAccuracy(trained.out, SPACE).evaluate(get_space("tiny").extremes(20)[0])


# --- command line ----------------------------------------------------------------------------------------------------


def run(capsys, *arguments) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as exit_:
        main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    return int(exit_.value.code or 0), out, err


@pytest.mark.slow
def test_commands_train_and_fine_tune(tmp_path, capsys):
    (tmp_path / "s.toml").write_text(
        'space = "tiny"\ndataset = "digits"\nresolutions = [12]\nout = "out/s.safetensors"\n'
    )
    small = [f"phases.{i}.{k}" for i in range(4) for k in ("steps=16", "networks=1")]
    settings = [x for s in [*small, "recipe.batch=256"] for x in ("--set", s)]
    code, out, err = run(capsys, "train", "supernet", tmp_path / "s.toml", *settings)
    assert code == 0 and len(json.loads(out)["history"]) == 4, err
    archs = tmp_path / "archs.jsonl"
    arch = get_space("tiny", [12]).extremes()[0]
    archs.write_text(json.dumps(arch.to_json()) + "\n")
    text = 'dataset = "digits"\narchs = "archs.jsonl"\nout = "nets"\nsupernet = "out/s.safetensors"\n'
    text += "epochs = 2\nteacher = true\n"
    (tmp_path / "f.toml").write_text(text)
    code, out, err = run(capsys, "train", "finetune", tmp_path / "f.toml")
    facts = json.loads(out)
    assert code == 0 and facts["id"] == arch.id and facts["val_top1"] > facts["val_top1_before"], err
    network, space, provenance = load_network(tmp_path / "nets" / f"{arch.id}.safetensors")
    assert network.arch == arch and space.resolutions == (12,) and provenance.dataset == "digits"
    assert top1(network, get_dataset("digits"), "test", 12) == facts["test_top1"]


def test_a_wrong_configuration_is_one_line(tmp_path, capsys):
    good = 'space = "tiny"\ndataset = "digits"\nout = "x.safetensors"\n'
    cases = {
        "unknown key 'spaces'": 'spaces = "tiny"\n' + good,
        "lacks out": 'space = "tiny"\ndataset = "digits"\n',
        "seed = 'one'": good + 'seed = "one"\n',
        "phases.0: unknown key 'epoch'": good + '[[phases]]\nname = "a"\nepoch = 1\nlr = 1.0\n',
        "label_smoothing = 2": good + "[recipe]\nlabel_smoothing = 2\n",
        "lr = nan": good + '[[phases]]\nname = "a"\nepochs = 1\nlr = nan\n',
        "not valid TOML": "space = \n",
    }
    for message, text in cases.items():
        (tmp_path / "c.toml").write_text(text)
        code, out, err = run(capsys, "train", "supernet", tmp_path / "c.toml")
        assert code == 2 and message in err and out == "" and len(err.splitlines()) == 1, err
    for setting, message in {"phases.9.epochs=1": "0 to 3", "seed.x=1": "seed", "seed": "key=value"}.items():
        (tmp_path / "c.toml").write_text(good + "seed = 1\n")
        code, _, err = run(capsys, "train", "supernet", tmp_path / "c.toml", "--set", setting)
        assert code == 2 and message in err and len(err.splitlines()) == 1, err
