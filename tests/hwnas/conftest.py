"""Fixtures of these tests; no test writes into the user's cache."""

from __future__ import annotations

import pytest

from tests.hwnas.image_files import write_folder


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HWNAS_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def root(tmp_path):
    """The user's own folder of images: ten for training and two for test of each class."""
    return write_folder(tmp_path / "data", {"train": 10, "test": 2})
