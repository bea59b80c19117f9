"""Tensors in files: what is written comes back; what is damaged or hostile is refused in one line."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
import safetensors.torch
import torch

from hwnas.nets.tensorfile import read_tensors, write_tensors
from profilers.errors import BadInput


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [-1, -1], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [1], "data_offsets": [0, 400]},
        {"dtype": "X\n", "shape": [1], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [2**63 - 1, 2**63 - 1], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [10**400], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": "1", "data_offsets": [0]},
        [1],
    ],
)
def test_entries_that_lie_are_refused(tmp_path, entry):
    text = json.dumps({"a": entry}).encode()
    (tmp_path / "f").write_bytes(len(text).to_bytes(8, "little") + text + b"\0" * 4)
    with pytest.raises(BadInput, match="is not a safetensors file, truncated or damaged: ") as caught:
        read_tensors(tmp_path / "f")
    assert "\n" not in str(caught.value)


def test_a_shape_that_torch_does_not_have_is_refused(tmp_path):
    text = json.dumps({"a": {"dtype": "F32", "shape": [0, 2**63], "data_offsets": [0, 0]}}).encode()
    (tmp_path / "f").write_bytes(len(text).to_bytes(8, "little") + text)
    with pytest.raises(
        BadInput, match=r"f holds a tensor of a shape or type that torch does not have; try: take a fresh"
    ):
        read_tensors(tmp_path / "f")


def test_a_file_whose_tensors_stand_in_any_order_is_read(tmp_path):
    """As this package wrote them before it took the library: in the order of the names given, unaligned."""
    data = bytes([1, 2, 3]) + np.array([1.5, -2.0], "<f4").tobytes()
    head = {
        "b": {"dtype": "U8", "shape": [3], "data_offsets": [0, 3]},
        "a": {"dtype": "F32", "shape": [1, 2], "data_offsets": [3, 11]},
        "__metadata__": {"hwnas": '{"kind": "test"}', "sha256": hashlib.sha256(data).hexdigest()},
    }
    text = json.dumps(head).encode()
    (tmp_path / "f").write_bytes(len(text).to_bytes(8, "little") + text + data)
    tensors, header = read_tensors(tmp_path / "f")
    assert header == {"kind": "test"} and tensors["b"].tolist() == [1, 2, 3] and tensors["a"].tolist() == [[1.5, -2.0]]


@pytest.mark.parametrize("own", ["[" * 100_000, '{"n": ' + "9" * 5000 + "}", '{"n": NaN}', '{"n": 1, "n": 2}'])
def test_a_header_that_is_no_sound_json_is_refused(tmp_path, own):
    (tmp_path / "f").write_bytes(safetensors.torch.save({"a": torch.zeros(1)}, {"hwnas": own}))
    with pytest.raises(BadInput, match=r"the header of .* is not valid JSON") as caught:
        read_tensors(tmp_path / "f")
    assert "\n" not in str(caught.value)


def test_all_types_and_layouts_survive(tmp_path):
    tensors = {
        "half": torch.randn(3).half(), "bf16": torch.randn(2, 2).bfloat16(), "int": torch.tensor(5),
        "bytes": torch.arange(7, dtype=torch.uint8), "nothing": torch.zeros(0, 3),
        "last": torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
    }  # fmt: skip
    write_tensors(tmp_path / "f", tensors, {"kind": "test"})
    back, head = read_tensors(tmp_path / "f")
    assert head == {"kind": "test"}
    assert all(torch.equal(back[k], v) and back[k].dtype == v.dtype for k, v in tensors.items())
