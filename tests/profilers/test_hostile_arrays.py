"""Archives of arrays: what NumPy writes comes back, everything else is one line."""

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


def test_what_numpy_writes_comes_back(tmp_path):
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
