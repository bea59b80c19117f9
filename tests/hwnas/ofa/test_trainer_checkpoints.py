"""Supernets in the forms that once-for-all's and timm's trainers write; on `tiny`, which is quick to make."""

from __future__ import annotations

import argparse

import numpy as np
import pytest
import torch

from hwnas.nets import Supernet
from hwnas.nets.checkpoint import Provenance, open_supernet, save_network, save_supernet
from hwnas.ofa.facts import checkpoint_facts
from hwnas.space import get_space
from profilers.errors import BadInput
from tests.hwnas import ofa_cases

SPACE = get_space("tiny", classes=7)
WRITTEN = Provenance("digits", (0.0,), (1.0,))
BESIDE = {"epoch": 119, "best_acc": np.float64(71.0), "dataset": "imagenet", "args": argparse.Namespace(lr=0.1)}


@pytest.fixture(scope="module")
def supernet():
    found = Supernet(SPACE, seed=1)
    with torch.no_grad():
        for name, value in found.named_parameters():
            if name.endswith("_matrix"):
                value += 0.1  # not what a new supernet has
    return found.eval()


@pytest.fixture(scope="module")
def tensors(supernet):
    return ofa_cases.in_their_names(supernet)


def test_the_names_are_theirs():
    ours, published = ofa_cases.in_their_names(Supernet(get_space("mbv3"))), ofa_cases.family("1.0").tensors
    newer = {name.replace(".mobile_inverted_conv.", ".conv.") for name in published}
    assert set(ours) == newer


def doubled(tensors):
    return {name: 2 * value for name, value in tensors.items()}


def wrapped(tensors):
    """As AveragedModel saves a compiled model of DataParallel."""
    return {f"module._orig_mod.module.{name}": v for name, v in tensors.items()} | {"n_averaged": torch.tensor(3)}


FORMS = {
    "its state_dict": lambda t: {"state_dict": t},
    "its tensors": lambda t: t,
    "its state_dict after epoch 119": lambda t: {**BESIDE, "state_dict": wrapped(t)},
    "its state_dict_ema (averaged, EMA) and not its state_dict after epoch 119": lambda t: {
        **BESIDE, "state_dict": doubled(t), "state_dict_ema": t},
    "its model_ema (averaged, EMA) and not its model": lambda t: {"model": doubled(t), "model_ema": wrapped(t)},
    "its model": lambda t: {"model": t | {"blocks.0.conv.total_ops": torch.zeros(1)}, "ema": None},
}  # fmt: skip


@pytest.mark.parametrize("said", FORMS)
def test_every_form_gives_the_same_supernet(tmp_path, capsys, supernet, tensors, said):
    torch.save(FORMS[said](tensors), tmp_path / "c.pth.tar")
    facts = checkpoint_facts(tmp_path / "c.pth.tar")
    assert (facts.kind, facts.space, facts.dataset) == ("supernet", SPACE, None)
    assert facts.what == f"a supernet of once-for-all, {said}"
    assert facts.parameters == sum(p.numel() for p in supernet.parameters())
    loaded, provenance = open_supernet(tmp_path / "c.pth.tar", None)
    assert provenance is None and loaded.space == SPACE
    assert (f"c.pth.tar: {said} are taken\n" in capsys.readouterr().err) == ("and not" in said)
    assert all(torch.equal(v, supernet.state_dict()[k]) for k, v in loaded.state_dict().items())


def test_classes_and_widths_are_the_files(tmp_path, tensors):
    torch.save({"state_dict": tensors}, tmp_path / "c")
    assert open_supernet(tmp_path / "c", get_space("tiny", [16], classes=3))[0].space.classes == 7
    with pytest.raises(BadInput, match=r"is a supernet of space tiny; allowed: space mbv3; try: space = \"tiny\""):
        open_supernet(tmp_path / "c", get_space("mbv3"))


def test_without_matrices_smaller_kernels_are_centres(tmp_path, supernet, tensors):
    torch.save({"state_dict": {k: v for k, v in tensors.items() if "_matrix" not in k}}, tmp_path / "c")
    assert "without kernel transformation matrices (its smaller" in str(checkpoint_facts(tmp_path / "c"))
    arch = SPACE.parse({"ks": [3, 3, 3], "e": [6, 6, 6], "d": [1, 1, 1], "r": 12})
    got = open_supernet(tmp_path / "c", None)[0].extract(arch).state_dict()["layers.2.depth.conv.weight"]
    assert torch.equal(got, supernet.slots[0].depth.conv.weight[:, :, 2:-2, 2:-2])


def one_network(tensors):
    """As the files of single networks, whose kernels are as they are."""
    return {k: v for k, v in tensors.items() if "_matrix" not in k and "blocks.9" not in k}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (lambda t: {"state_dict": {"features.0.0.weight": torch.ones(3)}}, "1 tensors, the first of them 'features"),
        (one_network, "no supernet of once-for-all: one network of 9 blocks"),
        (lambda t: {"optimizer": {"lr": 0.1}}, r"does not hold named tensors \('optimizer' is none\)"),
        (lambda t: {"state_dict": {"a": torch.ones(1), "b": 2}}, r"does not hold named tensors \('b' is none\)"),
        (lambda t: torch.ones(2), "holds a Tensor"),
        (lambda t: {k: v for k, v in t.items() if not k.startswith("classifier")}, "lacks the classifier"),
    ],
)  # fmt: skip
def test_what_is_no_supernet_says_what_it_is(tmp_path, tensors, content, said):
    torch.save(content(tensors), tmp_path / "c")
    for read in (checkpoint_facts, lambda path: open_supernet(path, None)):
        with pytest.raises(BadInput, match=said) as caught:
            read(tmp_path / "c")
        assert "\n" not in str(caught.value)


def test_our_own_files(tmp_path, supernet):
    arch = SPACE.extremes()[0]
    save_supernet(tmp_path / "s.safetensors", supernet, WRITTEN)
    save_network(tmp_path / "n.safetensors", supernet.extract(arch), SPACE, WRITTEN)
    for name, kind in (("s", "supernet"), ("n", "network")):
        facts = checkpoint_facts(tmp_path / f"{name}.safetensors")
        assert (facts.kind, facts.space, facts.dataset) == (kind, SPACE, "digits")
        expected = supernet if kind == "supernet" else supernet.extract(arch)
        assert facts.parameters == sum(p.numel() for p in expected.parameters())
        assert str(facts).endswith("M parameters, trained on digits") and facts.to_json()["classes"] == 7
    from safetensors.torch import save_file

    save_file({"x": torch.ones(1)}, tmp_path / "x.safetensors")
    with pytest.raises(BadInput, match="a safetensors file that hwnas did not write; allowed: a supernet or a network"):
        checkpoint_facts(tmp_path / "x.safetensors")
    (tmp_path / "x.onnx").write_bytes(b"\x08\x07 model")
    with pytest.raises(BadInput, match="not a safetensors file"):
        checkpoint_facts(tmp_path / "x.onnx")
