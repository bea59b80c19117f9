"""A lock: held by one, gone with it, and what is said where a file system has none."""

from __future__ import annotations

import errno
import fcntl
import os

import pytest

from profilers.errors import FileProblem
from profilers.locks import Busy, locked


def test_one_at_a_time_and_nothing_is_left(tmp_path):
    with locked(tmp_path / ".lock"):
        with pytest.raises(Busy), locked(tmp_path / ".lock"):
            pass
        assert (tmp_path / ".lock").exists()
    assert list(tmp_path.iterdir()) == []


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
