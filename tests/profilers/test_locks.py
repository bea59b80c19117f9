"""A lock: held by one, gone with it, and what is said where a file system has none."""

from __future__ import annotations

import errno
import fcntl
import os

import pytest

from profilers.errors import BadInput, FileProblem
from profilers.locks import Busy, alone, locked


def test_one_at_a_time_and_nothing_is_left(tmp_path):
    with locked(tmp_path / ".lock"):
        with pytest.raises(Busy), locked(tmp_path / ".lock"):
            pass
        assert (tmp_path / ".lock").exists()
    assert list(tmp_path.iterdir()) == []


def test_of_an_output_who_holds_it_is_named_and_a_folder_that_stays_empty_is_removed(tmp_path):
    out = tmp_path / "new/deep/t.json"
    with alone(out, "is building"):
        said = rf"process {os.getpid()} is building {out}; allowed: one at a time; try: wait for it, or another --out"
        with pytest.raises(BadInput, match=said), alone(out, "is building"):
            pass
        with alone(out.with_name("other.json"), "is building"):
            pass
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_was_left_by_a_killed_process_is_taken(tmp_path):
    lock = tmp_path / ".t.json.lock"
    lock.write_text("\n999999 elsewhere")
    with (
        alone(tmp_path / "t.json", "is building"),
        pytest.raises(Busy, match=rf"^process {os.getpid()}$"),
        locked(lock),
    ):
        pass
    assert not lock.exists()


@pytest.mark.parametrize(
    ("said", "named"),
    [("12 elsewhere", "process 12 on elsewhere"), ("", "another process"), ("x y", "another process")],
)
def test_what_a_lock_says_of_its_holder(tmp_path, said, named):
    lock = tmp_path / ".lock"
    with locked(lock):
        lock.write_text(said)
        with pytest.raises(Busy, match=f"^{named}$"), locked(lock):
            pass


def test_whoever_opened_a_lock_that_was_removed_makes_a_new_one(tmp_path, monkeypatch):
    flock, path = fcntl.flock, tmp_path / ".lock"
    removed = []

    def late(handle, how):
        flock(handle, how)
        if not removed:  # the holder of before ended between our opening and our locking
            removed.append(path.unlink())

    monkeypatch.setattr(fcntl, "flock", late)
    with locked(path):
        assert removed and path.exists()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_named_and_used(tmp_path, monkeypatch, capsys, number):
    def refuse(handle, how):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with locked(tmp_path / ".lock"):
        pass
    said = capsys.readouterr().err
    assert f"{tmp_path} is on a file system without locks ({os.strerror(number)})" in said
    assert "one process only" in said


def test_a_folder_that_cannot_be_written_to(tmp_path):
    with pytest.raises(FileProblem, match="cannot write"), locked(tmp_path / "none" / ".lock"):
        pass
