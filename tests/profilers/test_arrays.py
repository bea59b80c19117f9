"""Arrays of strangers: what numpy.savez writes is read, and nothing else, whatever it claims to be."""

from __future__ import annotations

import io
import struct
import zipfile

import numpy as np
import pytest

from profilers import limits
from profilers.arrays import read_arrays
from profilers.errors import BadInput

HEADER = "{{'descr': '{}', 'fortran_order': False, 'shape': {}}}"


def npz(path, **members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    return path


def npy(header, data=b""):
    text = header.encode()
    return b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text + data


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


def test_arrays_keep_their_values_and_types(tmp_path):
    wanted = {
        "a": np.arange(6, dtype=np.float32).reshape(2, 3),
        "f": np.asfortranarray(np.ones((2, 3)) * [[1], [2]]),
        "big": np.arange(3, dtype=">i8"),
        "one": np.array(1.5),
        "none": np.zeros((0, 3)),
        "flags": np.array([True, False]),
    }
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "x.npz", **wanted)
        found = read_arrays(tmp_path / "x.npz")
        assert found.keys() == wanted.keys()
        for name, value in wanted.items():
            np.testing.assert_array_equal(found[name], value)
            assert found[name].dtype == value.dtype


@pytest.mark.parametrize(
    "data",
    [
        b"text",
        b"",
        npy(HEADER.format("<f4", "(4,)"), bytes(12)),
        npy(HEADER.format("<f4", "(4,)"), bytes(20)),
        npy(HEADER.format("<f4", "(1099511627776,)")),
        npy(HEADER.format("<f4", "(-1,)")),
        npy(HEADER.format("<f4", "(1.5,)")),
        npy(HEADER.format("|O", "(1,)"), bytes(8)),
        npy(HEADER.format("<U2", "(1,)"), bytes(8)),
        npy("[" * 9000),
        npy("{" * 200),
        npy("__import__('os').getcwd()"),
    ],
)
def test_what_is_no_plain_array_is_refused(tmp_path, data):
    path = npz(tmp_path / "x.npz", a=data)
    with pytest.raises(BadInput, match=r"x\.npz is no \.npz that can be read") as refused:
        read_arrays(path)
    assert len(str(refused.value).splitlines()) == 1


def test_nothing_is_unpacked_that_is_too_large(tmp_path, monkeypatch):
    path = npz(tmp_path / "x.npz", a=npy(HEADER.format("<f4", "(4,)"), bytes(16)))
    monkeypatch.setattr(limits, "FILE_BYTES", 50)
    with pytest.raises(BadInput, match=r"bytes; allowed: at most 50|larger"):
        read_arrays(path)


def test_a_damaged_archive(tmp_path):
    np.savez_compressed(tmp_path / "x.npz", a=np.arange(100.0))
    data = (tmp_path / "x.npz").read_bytes()
    for at in range(0, len(data), 7):
        (tmp_path / "x.npz").write_bytes(data[:at] + b"\xa5" + data[at + 1 :])
        try:
            np.testing.assert_array_equal(read_arrays(tmp_path / "x.npz")["a"], np.arange(100.0))
        except (BadInput, KeyError):  # another name
            continue
