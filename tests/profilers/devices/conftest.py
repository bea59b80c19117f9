"""A device of its own for each test: its lock, its cache, its processes; all gone afterwards."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from profilers.devices import hosts


@pytest.fixture(autouse=True)
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder that stands for the device's disk; nothing of an agent may be left in it."""
    root = tmp_path / "device"
    (root / "tmp").mkdir(parents=True)
    for name, value in {"HWNAS_LOCK": "lock", "XDG_CACHE_HOME": "cache", "TMPDIR": "tmp"}.items():
        monkeypatch.setenv(name, str(root / value))
    yield root
    hosts.close_all()
    assert left_behind(root) == []


def left_behind(root: Path, seconds: float = 5) -> list[str]:
    """Processes of agents of that device, their files and lock, as soon as there are none."""
    end = time.monotonic() + seconds
    while (found := [*agents(root), *map(str, root.glob("tmp/hwnas-agent*")), *map(str, root.glob("lock"))]) and (
        time.monotonic() < end
    ):
        time.sleep(0.05)
    return found


def agents(root: Path) -> list[str]:
    """Numbers of the processes that run an agent from that device's cache."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(root / "cache").encode() in (process / "cmdline").read_bytes():
                found.append(process.name)
        except OSError:
            continue
    return found
