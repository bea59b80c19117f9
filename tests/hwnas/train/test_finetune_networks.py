"""Final training: what regularises it, that it resumes exactly, that failures are recorded, that its result ships."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from hwnas.accuracy.supernet import SupernetAccuracy
from hwnas.cli import main
from hwnas.data import Dataset, get_dataset
from hwnas.nets import Network, Supernet
from hwnas.nets.checkpoint import Provenance, load_network, save_supernet
from hwnas.nets.supernet import with_new_classifier
from hwnas.nets.tensorfile import read_tensors
from hwnas.space import get_space
from hwnas.train import FinetuneConfig, Finetuning, Recipe, Regularise, Training, finetune
from hwnas.train.evaluate import top1
from hwnas.train.optimise import Diverged
from hwnas.train.regularise import BatchAugmentation, averaged
from hwnas.train.state import StateFile
from profilers.errors import BadInput

torch.set_num_threads(1)

SPACE = get_space("tiny", [12])
DIGITS = get_dataset("digits")
EVERYTHING = Regularise(randaugment=1, mixup=0.2, cutmix=1.0, drop_connect=0.2, ema=0.9)
SMALL, LARGE = SPACE.extremes()


@pytest.fixture(scope="module")
def supernet(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("final") / "s.safetensors"
    save_supernet(path, Supernet(SPACE, seed=1), Provenance("digits", DIGITS.mean, DIGITS.std))
    return path


@pytest.fixture
def few(root):
    """24 grey images of three classes, and a supernet for them: steps that take no time."""
    dataset, path = get_dataset(f"folder:{root}?channels=1"), root / "supernet"
    save_supernet(
        path, Supernet(get_space("tiny", [12], 3), seed=1), Provenance(dataset.name, dataset.mean, dataset.std)
    )
    return {"supernet": path, "dataset": dataset.name, "recipe": Recipe(batch=8, dropout=0.1)}


def config(folder: Path, supernet: Path, **changes) -> FinetuneConfig:
    made = FinetuneConfig(
        "digits",
        folder / "archs",
        folder / "nets",
        supernet,
        teacher=True,
        epochs=2,
        lr=0.1,
        seed=3,
        recipe=Recipe(batch=128, dropout=0.1),
        regularise=EVERYTHING,
    )
    return replace(made, **changes)


# --- regularisation -----------------------------------------------------------------------------------------------


def images_of(change: Regularise, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    images, labels = DIGITS.batch("train", np.arange(32), 12)
    torch.manual_seed(seed)
    return images, labels, *BatchAugmentation(change, DIGITS)(images, labels)


@pytest.mark.parametrize("alpha", [5e-324, 1e-4, 1e300])
@pytest.mark.parametrize("name", ["mixup", "cutmix"])
def test_a_distribution_that_single_precision_does_not_know_is_refused(name, alpha):
    with pytest.raises(BadInput, match=rf"{name} = {alpha:g}; allowed: 0, or 0.001 to 1000".replace("+", r"\+")):
        Regularise(**{name: alpha})


def test_randaugment_changes_images_within_the_range_of_their_values_and_keeps_labels():
    images, labels, changed, after = images_of(Regularise(randaugment=2))
    mean, std = (torch.tensor(v).view(1, -1, 1, 1) for v in (DIGITS.mean, DIGITS.std))
    values = changed * std + mean
    assert torch.equal(labels, after) and changed.shape == images.shape
    assert values.min() > -1e-5 and values.max() < 1 + 1e-5
    assert 16 <= sum(not torch.allclose(a, b, atol=1e-3) for a, b in zip(images, changed, strict=True)) <= 32
    assert torch.equal(changed, images_of(Regularise(randaugment=2))[2])
    assert not torch.equal(changed, images_of(Regularise(randaugment=2), seed=1)[2])


def test_mixup_and_cutmix_mix_labels_as_they_mix_images():
    images, labels, mixed, soft = images_of(Regularise(mixup=1.0))
    hot = torch.nn.functional.one_hot(labels, 10).float()
    part = (soft[0] @ hot[0]).item() if labels[0] != labels[-1] else 1.0
    assert soft.shape == (32, 10) and torch.allclose(soft.sum(1), torch.ones(32))
    assert torch.allclose(mixed[0], part * images[0] + (1 - part) * images[-1], atol=1e-5) and 0 < part < 1
    images, labels, cut, soft = images_of(Regularise(cutmix=1.0))
    kept = (cut == images).all(1) & (cut != images.roll(1, 0)).any(1)
    assert torch.allclose(soft.sum(1), torch.ones(32))
    assert ((cut == images) | (cut == images.roll(1, 0))).all() and 0 < kept.float().mean() < 1


def test_drop_connect_leaves_out_whole_branches_more_often_at_the_end():
    network = Network(SPACE.layers(LARGE), LARGE, seed=1).train()
    last = max(i for i, spec in enumerate(network.specs) if spec.skip)
    layer, spec = network.layers[last], network.specs[last]
    x = torch.randn(400, spec.in_channels, spec.size, spec.size)
    torch.manual_seed(0)
    with torch.no_grad():
        shares = [(layer(x, p) == x).all((1, 2, 3)).float().mean().item() for p in (0.0, 0.25, 0.75)]
    assert shares == pytest.approx([0, 0.25, 0.75], abs=0.08)
    network.drop_connect = 0.5
    images = DIGITS.images("val", 12, 8)
    assert not torch.equal(network(images), network(images))
    network.eval()
    assert torch.equal(network(images), network(images))


def test_averaged_weights_follow_with_their_decay():
    network = torch.nn.Linear(1, 1, bias=False)
    average = averaged(network, 0.5)
    expected = None
    for n, value in enumerate((1.0, 3.0, 5.0, 4.0)):
        torch.nn.init.constant_(network.weight, value)
        average.update_parameters(network)
        decay = min(0.5, (1 + n) / (10 + n))
        expected = value if expected is None else decay * expected + (1 - decay) * value
    assert average.module.weight.item() == pytest.approx(expected)


@pytest.mark.parametrize("wrong", [{"randaugment": -1}, {"magnitude": 31}, {"drop_connect": 1.0}, {"ema": 1.0}])
def test_regularisation_out_of_range_is_refused(wrong):
    with pytest.raises(BadInput, match=next(iter(wrong))):
        Regularise(**wrong)


# --- one network --------------------------------------------------------------------------------------------------


class TwoDigits(Dataset):
    """The zeros and ones of digits."""

    name, class_names, in_channels, mean, std = "two", ("0", "1"), 1, DIGITS.mean, DIGITS.std

    def labels(self, split):
        return DIGITS.labels(split)[self.kept(split)]

    def batch(self, split, indices, resolution, augment=None):
        return DIGITS.batch(split, self.kept(split)[indices], resolution, augment)

    def kept(self, split):
        return np.flatnonzero(DIGITS.labels(split).numpy() < 2)


def learnt(precision: str) -> float:
    space = get_space("tiny", [12], 2)
    network = Network(space.layers(SMALL), SMALL, seed=2)
    finetune(network, TwoDigits(), epochs=3, lr=0.1, recipe=Recipe(batch=32, precision=precision), seed=3)
    assert all(p.dtype == torch.float32 for p in network.parameters())
    return top1(network, TwoDigits(), "val", 12)


@pytest.mark.slow
def test_half_precisions_learn_as_single_precision_does():
    found = {precision: learnt(precision) for precision in ("fp32", "bf16", "fp16")}
    assert min(found.values()) > 85 and max(found.values()) - min(found.values()) < 10, found  # chance is 50
    with pytest.raises(BadInput, match="precision = 'fp8'; allowed: fp32, bf16, fp16"):
        Recipe(precision="fp8")


@pytest.mark.slow
def test_a_loss_that_is_no_number_is_an_error_not_a_score(supernet):
    network = Network(SPACE.layers(SMALL), SMALL)
    with pytest.raises(Diverged, match="the loss of epoch 1 is nan"):
        finetune(network, DIGITS, epochs=2, lr=1e30)
    with pytest.raises(Diverged, match="smaller lr"):
        SupernetAccuracy(supernet, SPACE, finetune_epochs=1, finetune_lr=1e30).evaluate(SMALL)
    broken = Supernet(SPACE)
    with torch.no_grad():
        broken.stem.part("conv").conv.weight.fill_(float("nan"))
    with pytest.raises(Diverged, match="logits are not finite"):
        top1(broken.extract(SMALL), DIGITS, "val", 12)


@pytest.mark.slow
def test_a_supernet_of_other_classes_gives_all_but_its_classifier(supernet, monkeypatch):
    source = Supernet(SPACE, seed=1).eval()
    network, same = with_new_classifier(source, SMALL, 2, seed=5), source.extract(SMALL)
    ours, theirs = network.state_dict(), same.state_dict()
    differ = [k for k in ours if ours[k].shape != theirs[k].shape or not torch.equal(ours[k], theirs[k])]
    assert {k.rsplit(".linear")[0] for k in differ} == {f"layers.{len(network.specs) - 1}"}
    monkeypatch.setattr("hwnas.accuracy.supernet.get_dataset", lambda name: TwoDigits())
    two = get_space("tiny", [12], 2)
    with pytest.raises(BadInput, match="10 classes without fine-tuning; allowed: 2"):
        SupernetAccuracy(supernet, two, dataset="two")
    with pytest.raises(BadInput, match=r"data set .* of 2 classes; allowed: 10"):
        SupernetAccuracy(supernet, SPACE, dataset="two")
    found = SupernetAccuracy(supernet, two, dataset="two", finetune_epochs=4, finetune_lr=0.1, views=0).evaluate(SMALL)
    assert found > 80  # chance is 50


# --- several networks, resumed --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_interrupted_and_resumed_it_ends_in_the_same_weights(few, tmp_path, monkeypatch):
    whole = config(tmp_path / "a", **few)
    expected = list(Finetuning(whole).run([SMALL, LARGE]))
    save, count = StateFile.save, [0]

    def dying(*arguments):
        save(*arguments)
        count[0] += 1
        raise KeyboardInterrupt

    broken = config(tmp_path / "b", **few)
    with monkeypatch.context() as patch:
        patch.setattr(StateFile, "save", dying)
        for _ in range(2):  # the first network, then the second
            with pytest.raises(KeyboardInterrupt):
                list(Finetuning(broken).run([SMALL, LARGE]))
    with pytest.raises(BadInput, match=r"unfinished training; try: another out .*--fresh"):
        list(Finetuning(broken, resume=False).run([LARGE]))
    with pytest.raises(BadInput, match=r"lr was 0\.1, is 0\.2; allowed: the same; try: another out .*--fresh"):
        list(Finetuning(replace(broken, lr=0.2)).run([SMALL]))
    found = list(Finetuning(broken).run([SMALL, LARGE]))
    assert count[0] == 2 and [p.suffix for p in broken.out.iterdir()] == [".safetensors"] * 2
    for ours, theirs in zip(found, expected, strict=True):
        differ = {k for k in theirs if ours[k] != theirs[k]}
        assert differ <= {"file", "seconds"}
        (a, _), (b, _) = read_tensors(Path(ours["file"])), read_tensors(Path(theirs["file"]))
        assert all(torch.equal(a[k], b[k]) for k in b)


@pytest.mark.slow
def test_a_damaged_state_is_refused(supernet, tmp_path):
    network = Network(SPACE.layers(SMALL), SMALL)
    training = Training(network, DIGITS, epochs=2, lr=0.1, regularise=EVERYTHING)
    groups = training.state()
    del groups["average"]["n_averaged"]
    with pytest.raises(BadInput, match=r"state lacks tensor 'n_averaged'"):
        training.restore(groups, 1, {}, Path("state"))


def run(capsys, *arguments) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as exit_:
        main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    return int(exit_.value.code or 0), out, err


@pytest.mark.slow
def test_a_network_that_diverges_is_recorded_and_the_others_go_on(supernet, tmp_path, capsys, monkeypatch):
    (tmp_path / "archs.jsonl").write_text("".join(json.dumps(a.to_json()) + "\n" for a in (SMALL, LARGE)))
    text = f'dataset = "digits"\narchs = "archs.jsonl"\nout = "nets"\nsupernet = "{supernet}"\nepochs = 1\n'
    (tmp_path / "f.toml").write_text(text)
    original = Training.run_epoch

    def one_diverges(self):
        self.lr = 1e30 if self.network.arch == SMALL else self.lr
        return original(self)

    monkeypatch.setattr(Training, "run_epoch", one_diverges)
    code, out, err = run(capsys, "train", "finetune", tmp_path / "f.toml")
    assert code == 1, err  # of an interruption, or a full disk or memory, err says so
    failed, done = (json.loads(line) for line in out.splitlines())
    assert failed.keys() == {"id", "arch", "space", "classes", "error"} and "nan" in failed["error"]
    assert f"{SMALL.id} failed: the loss" in err and "test before" in err and done["id"] == LARGE.id
    assert [p.name for p in (tmp_path / "nets").iterdir()] == [f"{LARGE.id}.safetensors"]
    points = (done["recalibration_before"], done["recalibration"])
    assert all(isinstance(x, float) for x in points) and f"{points[1]:+.2f}" in err


# --- straight into an engine ------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_result_is_exported_with_its_weights(supernet, tmp_path, capsys):
    made = config(tmp_path, supernet, epochs=1)
    [facts] = Finetuning(made).run([SMALL])
    source = Path(facts["file"])
    code, out, err = run(capsys, "export", source, "--engine", "onnx", "--out", tmp_path / "engine")
    assert code == 0 and json.loads(out)["id"] == SMALL.id, err
    [model] = (tmp_path / "engine").glob("*.onnx")
    network, _, _ = load_network(source)
    images = DIGITS.images("test", 12, 16)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    ours = np.concatenate([session.run(None, {name: image[None].numpy()})[0] for image in images])
    with torch.no_grad():
        theirs = network(images).numpy()
    assert np.abs(ours - theirs).max() < 1e-4 * np.abs(theirs).max()
    code, _, err = run(capsys, "export", source, "--space", "tiny", "--out", tmp_path / "other")
    assert code == 2 and "a trained network, which it would not change" in err and not (tmp_path / "other").exists()
