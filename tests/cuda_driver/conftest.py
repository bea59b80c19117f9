"""These tests run in a process of their own, started by run.sh, where the stand-in is the CUDA driver."""

from __future__ import annotations

import os

import pytest


def pytest_configure(config):
    config.addinivalue_line("markers", "cuda_stub: runs under PyCUDA on the stand-in driver (tests/cuda_driver/run.sh)")


def pytest_collection_modifyitems(items):
    if "HWNAS_CUDA_STUB_ACTIVE" in os.environ:
        return
    skip = pytest.mark.skip(reason="runs on the stand-in driver only: tests/cuda_driver/run.sh")
    for item in items:
        if item.get_closest_marker("cuda_stub"):
            item.add_marker(skip)
