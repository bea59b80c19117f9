"""Where the cache is, with and without a home."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from hwnas.fetch import cache
from profilers.errors import FileProblem


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch, tmp_path):
    for name in ("HWNAS_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    cache._without_home.cache_clear()


def no_home():
    raise RuntimeError("Could not determine home directory.")


def test_in_the_users_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    assert cache.cache_folder() == tmp_path / "me" / ".cache" / "hwnas"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert cache.cache_folder() == tmp_path / "x" / "hwnas"


def test_without_a_home_it_is_said_once(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(Path, "home", no_home)
    assert cache.cache_folder() == cache.cache_folder() == tmp_path / f"hwnas-cache-{os.getuid()}"
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and said.startswith("there is no home folder: files are kept in")
    assert (tmp_path / f"hwnas-cache-{os.getuid()}").stat().st_mode & 0o777 == 0o700


def test_a_home_that_cannot_be_written_to(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("HOME", "/proc/1")
    monkeypatch.setattr(os, "access", lambda path, mode: not str(path).startswith("/proc"))
    assert cache.cache_folder().parent == tmp_path
    assert "the home folder /proc/1 cannot be written to" in capsys.readouterr().err


def test_a_folder_of_somebody_else_is_not_used(monkeypatch, tmp_path):
    monkeypatch.setattr(Path, "home", no_home)
    (tmp_path / f"hwnas-cache-{os.getuid()}").symlink_to(tmp_path / "theirs")
    (tmp_path / "theirs").mkdir()
    with pytest.raises(FileProblem, match=r"somebody else; try: HWNAS_CACHE=DIR"):
        cache.cache_folder()


def test_a_cache_under_a_home_that_is_not_there(monkeypatch):
    monkeypatch.setenv("HWNAS_CACHE", "~/cache")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    with pytest.raises(FileProblem, match="no home folder; try: an absolute path"):
        cache.cache_folder()
