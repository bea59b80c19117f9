"""Known networks beside a space's own, on the same images by the same recipe."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from hwnas.nets.known import Published, load_known, make_known
from hwnas.space import get_space
from hwnas.train import FinetuneConfig, Finetuning, Recipe, Training
from profilers.errors import BadInput

torch.set_num_threads(1)
NAME = "squeezenet1_1"


@pytest.fixture
def config(root, tmp_path, monkeypatch):
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path / "hub"))
    return FinetuneConfig(
        f"folder:{root}", tmp_path / "archs", tmp_path / "nets", space="small", resolutions=(32,), steps=2,
        recipe=Recipe(batch=8), models=(NAME,),
    )  # fmt: skip


@pytest.mark.slow
def test_a_known_network_is_trained_kept_and_never_taken_for_another(config, capsys):
    [facts] = Finetuning(config).run([])
    assert facts["from"] == "random weights: torchvision's are not in its cache" and facts["size"] == 32
    found = load_known(config.out / f"{NAME}.safetensors")
    low, high = facts["val_top1_interval"]
    assert found.name == NAME and low <= facts["val_top1"] <= high and facts["val_images"] > 0
    assert list(Finetuning(config).run([])) == [facts] and "known network of this very" in capsys.readouterr().err
    with pytest.raises(BadInput, match="another configuration: size was 32, is 40"):
        list(Finetuning(replace(config, models_size=40)).run([]))


@pytest.mark.slow
def test_interrupted_it_goes_on_to_the_same_weights(config, monkeypatch):
    longer = replace(config, steps=None, epochs=2)
    list(Finetuning(longer).run([]))
    whole = load_known(config.out / f"{NAME}.safetensors").network.state_dict()
    other = replace(longer, out=config.out / "other")
    work = Finetuning(other)
    run, done = Training.run_epoch, []
    with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
        patch.setattr(Training, "run_epoch", lambda self: done.append(1) or (run(self) if len(done) < 2 else 1 / 0))
        list(work.run([]))
    list(Finetuning(other).run([]))
    again = load_known(other.out / f"{NAME}.safetensors").network.state_dict()
    assert all(torch.equal(again[name], value) for name, value in whole.items())


def test_published_weights_give_all_but_the_classifier(tmp_path):
    source, file = make_known(NAME, 1000, seed=1).state_dict(), tmp_path / "w.pth"
    torch.save(source, file)
    published = Published.of(f"{NAME}={file}")
    found = published.network(3, seed=2).state_dict()
    assert {k for k in found if found[k].shape != source[k].shape} == {"classifier.1.weight", "classifier.1.bias"}
    assert all(torch.equal(found[k], source[k]) for k in found if not k.startswith("classifier"))
    torch.save({"weight": torch.ones(1)}, file)
    with pytest.raises(BadInput, match=rf"w\.pth; allowed: torchvision's weights of {NAME}"):
        published.network(3, seed=2)


def test_an_unknown_one_is_refused_with_the_nearest():
    with pytest.raises(BadInput, match=r"unknown network 'squeezenet1_2'.*squeezenet1_1"):
        Published.of("squeezenet1_2")


def test_their_size_is_the_most_of_the_others(config):
    space = get_space("small", [32])
    *_, known = Finetuning(config).subjects(space.extremes())
    assert (known.size, known.id) == (32, NAME)
