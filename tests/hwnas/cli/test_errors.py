"""What goes wrong for a user: one clear line, exit code 2, nothing damaged."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from dataclasses import replace

import pytest

import lut
from hwnas.cli import main


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A table of `tiny` from a data sheet: complete, and quick to make."""
    path = tmp_path_factory.mktemp("tables") / "gpu.json"
    code, err = call("lut", "estimate", "--space", "tiny", "--gpu", "GTX 1080 Ti", "--batch", "64", "--out", str(path))
    assert code == 0, err
    return path


def call(*arguments: str, before=None) -> tuple[int, str]:
    command = [sys.executable, "-c", "from hwnas.cli import main; main()", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=before)
    return done.returncode, done.stderr


def refused(capsys, *arguments: str) -> str:
    """The one line that the command ends with."""
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    out, err = capsys.readouterr()
    assert stopped.value.code == 2
    assert out == ""
    assert err.count("\n") == 1, err
    return err


def archs(tmp_path, arch) -> str:
    (tmp_path / "a.jsonl").write_text(json.dumps(arch) + "\n")
    return str(tmp_path / "a.jsonl")


MBV3_ARCH = {"ks": [3] * 10, "e": [3] * 10, "d": [2] * 5, "r": 192}


def test_a_table_of_another_space(capsys, table, tmp_path):
    document = lut.load(table)
    other = tmp_path / "other.json"
    lut.save(replace(document, space=replace(document.space, name="mbv3", signature="0" * 12)), other)
    said = refused(capsys, "lut", "predict", str(other), "--archs", archs(tmp_path, MBV3_ARCH))
    assert "mbv3" in said


def test_a_malformed_architecture(capsys, table, tmp_path):
    said = refused(capsys, "lut", "predict", str(table), "--archs", archs(tmp_path, MBV3_ARCH))
    assert "line 1" in said


@pytest.mark.slow
def test_a_truncated_table(capsys, table, tmp_path):
    short = tmp_path / "short.json"
    data = table.read_bytes()
    for cut in (0, 1, len(data) // 2, len(data) - 3):
        short.write_bytes(data[:cut])
        said = refused(capsys, "lut", "show", str(short))
        assert "short.json" in said
        assert short.read_bytes() == data[:cut]


def test_verify_of_what_was_not_measured_here(capsys, table):
    assert "estimated" in refused(capsys, "lut", "verify", str(table))


@pytest.mark.slow
def test_a_full_disk(table, tmp_path):
    """A limit on the size of files stands in for the full disk: the write fails half-way, in the kernel."""
    before = table.read_bytes()

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    arguments = ["lut", "estimate", "--space", "tiny", "--gpu", "GTX 1080 Ti", "--batch", "64", "--out", str(table)]
    code, err = call(*arguments, before=limit)
    assert code == 2
    assert "cannot write" in err
    assert err.count("\n") == 1
    assert table.read_bytes() == before
    assert [p.name for p in table.parent.iterdir()] == [table.name]


def test_unknown_names(capsys, tmp_path):
    out = str(tmp_path / "t.json")
    assert "unknown space" in refused(capsys, "lut", "build", "--space", "mbv9", "--engine", "fake", "--out", out)
    assert "tensorflow" in refused(capsys, "lut", "build", "--space", "tiny", "--engine", "tensorflow", "--out", out)
    assert "RTX 9999" in refused(capsys, "lut", "estimate", "--space", "tiny", "--gpu", "RTX 9999", "--out", out)
    assert list(tmp_path.iterdir()) == []
