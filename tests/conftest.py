"""Fixtures shared by all tests; what is not on this machine is skipped with its reason."""

from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault(
    "OMP_NUM_THREADS", "1"
)  # before torch: two threads that wait for each other crawl on a busy machine

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def published() -> Path:
    """The authors' published files, which are not part of the project."""
    folder = SHARED / "published"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not on this machine")
    return folder
