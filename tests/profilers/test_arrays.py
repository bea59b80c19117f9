"""Arrays of strangers: what numpy.savez writes is read, and nothing else, whatever it claims to be."""

from __future__ import annotations

import io
import struct
import zipfile

import numpy as np
import pytest

from profilers.arrays import read_arrays
from profilers.errors import BadInput


@pytest.mark.parametrize("dtype", ["float32", "int64", "bool", "float16", ">f8"])
def test_what_numpy_writes_comes_back(tmp_path, dtype):
    values = {"a": np.arange(12).reshape(3, 4).astype(dtype), "b": np.asfortranarray(np.ones((2, 3), dtype))}
    values |= {"c": np.array(1, dtype), "d": np.zeros((0, 4), dtype)}
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "x.npz", **values)
        found = read_arrays(tmp_path / "x.npz")
        assert found.keys() == values.keys()
        assert all((found[k] == values[k]).all() and found[k].shape == values[k].shape for k in values)
    assert list(read_arrays(tmp_path / "x.npz", ["b"])) == ["b"]


@pytest.mark.parametrize("shape", ["(1000000000, 1000000000)", "(3,)", "(-1,)", "(True,)", "3", "('a',)", "(10**9"])
@pytest.mark.parametrize("kind", ["<f4", "|O", "<M8[s]", "V4", "{}", "<U9"])
def test_a_description_that_lies_asks_for_no_memory(tmp_path, shape, kind):
    head = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}}}\n".encode()
    member = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + bytes(16)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", member)
    (tmp_path / "x.npz").write_bytes(stream.getvalue())
    with pytest.raises(BadInput, match=r"no \.npz that can be read"):
        read_arrays(tmp_path / "x.npz")


def test_what_is_missing_or_unpacks_to_too_much_is_named(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "x.npz", a=np.zeros(1000))
    with pytest.raises(BadInput, match="has no array 'b'"):
        read_arrays(tmp_path / "x.npz", ["b"])
    monkeypatch.setattr("profilers.limits.FILE_BYTES", 5000)
    with pytest.raises(BadInput, match=r"unpacks to 8,1\d\d bytes; allowed: at most 5,000"):
        read_arrays(tmp_path / "x.npz")
