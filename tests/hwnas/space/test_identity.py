"""A space is known by its definition; files of earlier versions, which hashed it otherwise, are still of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import lut
from hwnas.nets import Supernet
from hwnas.nets.checkpoint import Provenance, load_supernet, save_supernet
from hwnas.nets.tensorfile import read_tensors, write_tensors
from hwnas.space import get_space
from hwnas.space.identity import digest, legacy_signature
from lut.estimate.roofline import estimate
from profilers.errors import BadInput, TableError

# Files carry these: whoever changes one must keep the old one readable.
SIGNATURES = {
    "mbv3": "bf1ae2104190",
    "mbv3-w1.2": "73f09b6dc49e",
    "proxyless": "644b97b94c5f",
    "proxylessnas": "d496dda60336",
    "small": "0bb7cd8ebbca",
    "tiny": "1f0d5e4797f8",
}
LEGACY = {
    "mbv3": "2839b68981e1",
    "mbv3-w1.2": "3438bc94b2ff",
    "proxyless": "7aefffa82c60",
    "proxylessnas": "1c052f1cebb6",
    "small": "88db6f09ea0d",
    "tiny": "f59e26943c54",
}


@pytest.mark.parametrize("name", sorted(SIGNATURES))
def test_signatures_in_files_are_those_of_the_spaces(name):
    space = get_space(name)
    assert (space.signature, legacy_signature(space.definition())) == (SIGNATURES[name], LEGACY[name])
    assert space.has_signature(LEGACY[name]) and space.has_signature(SIGNATURES[name])
    assert not any(space.has_signature(other) for other in (set(LEGACY.values()) - {LEGACY[name]}) | {"None", ""})


def test_resolutions_classes_and_name_are_no_part_of_it():
    space = get_space("mbv3", [160, 224], classes=10)
    assert replace(space, name="mine").signature == get_space("mbv3").signature


def test_every_other_field_is_part_of_it():
    space = get_space("tiny")
    stages = tuple(replace(stage, layers=2) for stage in space.stages)
    changes = [{"stem": 16}, {"first": 16}, {"mix": 0}, {"eps": 1e-3}, {"act": "relu"}, {"width": 1.2},
               {"kernels": (3, 5)}, {"depths": (2, 3)}, {"stages": stages}, {"in_channels": 3}]  # fmt: skip
    assert len({replace(space, **change).signature for change in changes} | {space.signature}) == len(changes) + 1
    assert replace(space, width=1).signature == space.signature


def test_canonical_json_does_not_depend_on_the_order():
    assert digest({"a": 1, "b": (2, 3)}) == digest({"b": [2, 3], "a": 1}) != digest({"a": 1, "b": [3, 2]})


def test_a_table_of_before_is_read(tmp_path):
    space = get_space("tiny")
    table = estimate(space, "T4", 1)
    old = replace(table, space=replace(table.space, signature=LEGACY["tiny"]))
    lut.save(old, tmp_path / "old.json")
    genes = space.sample(4, np.random.default_rng(0))
    read = lut.load(tmp_path / "old.json").bind(space).predict(genes)
    assert read.ms.tolist() == table.bind(space).predict(genes).ms.tolist()
    with pytest.raises(TableError, match=r"a latency table of space 'tiny' .*hwnas lut build --space tiny"):
        lut.load(tmp_path / "old.json").bind(replace(space, stem=16))


def test_a_supernet_of_before_is_read_and_one_of_another_definition_is_not(tmp_path):
    space = get_space("tiny")
    save_supernet(tmp_path / "new", Supernet(space), Provenance("digits", (0.5,), (0.5,)))
    tensors, head = read_tensors(tmp_path / "new")
    write_tensors(tmp_path / "old", tensors, {**head, "signature": LEGACY["tiny"]})
    assert load_supernet(tmp_path / "old", space)[0].space == space
    write_tensors(tmp_path / "other", tensors, {**head, "signature": LEGACY["mbv3"]})
    with pytest.raises(BadInput, match=r"signature 2839b68981e1.*train again"):
        load_supernet(tmp_path / "other")
