"""Files of supernets and networks: what is written comes back; what is damaged or foreign is refused in one line."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from hwnas.nets import Network, Supernet
from hwnas.nets.checkpoint import Provenance, load_network, load_supernet, save_network, save_supernet
from hwnas.nets.tensorfile import read_tensors, write_tensors
from hwnas.space import get_space
from profilers.errors import BadInput, FileProblem

ORIGIN = Provenance("digits", (0.3,), (0.4,), {"epochs": 3})


@pytest.fixture(scope="module")
def space():
    return get_space("tiny", [12, 16])


@pytest.fixture
def saved(tmp_path, space):
    supernet = Supernet(space, seed=4).to(memory_format=torch.channels_last)
    save_supernet(tmp_path / "s.safetensors", supernet, ORIGIN)
    return tmp_path / "s.safetensors", supernet


def test_supernet_comes_back_bit_for_bit(saved, space):
    path, supernet = saved
    loaded, provenance = load_supernet(path, space)
    assert provenance == ORIGIN and loaded.space == space and not loaded.training
    ours, theirs = supernet.state_dict(), loaded.state_dict()
    assert list(ours) == list(theirs) and all(torch.equal(ours[k], theirs[k]) for k in ours)


def test_network_comes_back_with_its_architecture(tmp_path, space):
    arch = space.decode(space.sample(1, np.random.default_rng(0)))[0]
    network = Network(space.layers(arch), arch, seed=2).eval()
    save_network(tmp_path / "n.safetensors", network, space, ORIGIN)
    loaded, own, provenance = load_network(tmp_path / "n.safetensors")
    x = torch.randn(2, 1, arch.r, arch.r)
    assert loaded.arch == arch and own == space and provenance == ORIGIN
    assert torch.equal(loaded(x), network(x))


def test_the_file_is_safetensors(saved):
    content = saved[0].read_bytes()
    size = int.from_bytes(content[:8], "little")
    head = json.loads(content[8 : 8 + size])
    entry = head["stem.conv.conv.weight"]
    first, last = entry["data_offsets"]
    value = np.frombuffer(content[8 + size :][first:last], "<f4").reshape(entry["shape"])
    assert entry["dtype"] == "F32" and size % 8 == 0
    assert np.array_equal(value, saved[1].state_dict()["stem.conv.conv.weight"])


def test_another_space_or_number_of_classes_is_refused(saved):
    with pytest.raises(BadInput, match=r"is a supernet of space tiny.*allowed: space mbv3"):
        load_supernet(saved[0], get_space("mbv3"))
    with pytest.raises(BadInput, match=r"10 classes.*7 classes"):
        load_supernet(saved[0], get_space("tiny", classes=7))


def test_another_kind_of_file_is_refused(saved):
    with pytest.raises(BadInput, match=r"is a supernet .*allowed: a network"):
        load_network(saved[0])


@pytest.mark.parametrize("keep", [0, 4, 1000, -1])
def test_truncated_files_are_refused(saved, keep):
    path = saved[0]
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(BadInput, match=r"truncated|not a safetensors file"):
        load_supernet(path)


def test_flipped_bits_and_foreign_files_are_refused(saved, tmp_path):
    content = bytearray(saved[0].read_bytes())
    content[-5] ^= 1
    (tmp_path / "flipped").write_bytes(content)
    with pytest.raises(BadInput, match="checksum"):
        load_supernet(tmp_path / "flipped")
    for junk in (b"\x00" * 64, b"\x08" + b"\x00" * 7 + b"[1,2,3] ", b"\xff" * 64, b"\x08" + b"\x00" * 7 + b"\xff" * 8):
        (tmp_path / "junk").write_bytes(junk)
        with pytest.raises(BadInput):
            load_supernet(tmp_path / "junk")
    with pytest.raises(FileProblem, match="cannot read"):
        load_supernet(tmp_path / "missing")


def test_missing_unknown_and_misshapen_tensors_are_named(saved, tmp_path):
    tensors, head = read_tensors(saved[0])
    name = "stem.conv.conv.weight"
    cases = {
        "lacks tensor 'stem": {k: v for k, v in tensors.items() if k != name},
        "unknown tensor 'extra'": tensors | {"extra": torch.zeros(1)},
        r"stem.conv.conv.weight in .* \[1\]": tensors | {name: torch.zeros(1)},
    }
    for message, changed in cases.items():
        write_tensors(tmp_path / "f", changed, head)
        with pytest.raises(BadInput, match=message):
            load_supernet(tmp_path / "f")
