"""Fixtures of these tests; no test writes into the user's cache."""

from __future__ import annotations

import json

import pytest

from hwnas.cli import main
from tests.hwnas.image_files import write_folder
from tools import browser


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HWNAS_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="session")
def chromium():
    """A browser for all tests that mark themselves with `tests.browsing.MARKS`."""
    with browser.browse() as found:
        yield found


@pytest.fixture
def root(tmp_path):
    """The user's own folder of images: ten for training and two for test of each class."""
    return write_folder(tmp_path / "data", {"train": 10, "test": 2})


@pytest.fixture
def hwnas(capfd):
    """Run a command line; gives (exit code, JSON lines of stdout, stderr)."""

    def call(*arguments):
        with pytest.raises(SystemExit) as caught:
            main([str(a) for a in arguments])
        out, err = capfd.readouterr()
        return caught.value.code, [json.loads(line) for line in out.splitlines()], err

    return call
