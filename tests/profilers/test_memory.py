from __future__ import annotations

import resource
from pathlib import Path

import pytest

from profilers import memory
from profilers.memory import PAGE, available, contiguous_memory, small_blocks

LINUX = pytest.mark.skipif(not memory.BUDDYINFO.exists(), reason="no /proc/buddyinfo on this system")


def test_counts_the_blocks_of_the_small_orders_in_all_zones(tmp_path):
    path = tmp_path / "buddyinfo"
    path.write_text(
        "Node 0, zone      DMA      1      0      0      0      0      0      9      0      1      1      3 \n"
        "Node 1, zone   Normal     10      3      0      0      0      2      7      0      0      0      0 \n"
    )
    assert small_blocks(path) == (1 + 10 + 2 * 3 + 32 * 2) * PAGE


@pytest.mark.parametrize("text", ["", "Node 0, zone DMA a b\n", None])
def test_nothing_is_small_where_the_system_does_not_say(tmp_path, text):
    path = tmp_path / "buddyinfo"
    if text is not None:
        path.write_text(text)
    assert small_blocks(path) == 0


def test_available_is_what_the_system_says_within_the_control_group(tmp_path, monkeypatch):
    path = tmp_path / "meminfo"
    path.write_text("MemTotal:  9000 kB\nMemAvailable:  5000 kB\n")
    monkeypatch.setattr(memory, "cgroup_memory_left", lambda: None)
    assert available(path) == 5000 * 1024
    monkeypatch.setattr(memory, "cgroup_memory_left", lambda: 700)
    assert available(path) == 700
    monkeypatch.setattr(memory, "cgroup_memory_left", lambda: -5)
    assert available(path) == 0
    assert available(tmp_path / "absent") == 0


@LINUX
def test_small_blocks_are_held_inside_and_given_back_after(monkeypatch):
    size = 100 << 20
    left = iter([size, size // 2, 0])
    monkeypatch.setattr(memory, "small_blocks", lambda: next(left))
    monkeypatch.setattr(memory, "ENOUGH", 1)
    monkeypatch.setattr(memory, "available", lambda: 100 * size)
    memory._give_back()  # what earlier tests freed would be given back inside
    before = resident()
    with contiguous_memory() as held:
        assert held == size + size // 2
        assert resident() - before > 0.9 * held
    assert resident() - before < 0.5 * size


def test_looks_no_longer_where_taking_blocks_leaves_as_many(monkeypatch):
    monkeypatch.setattr(memory, "small_blocks", lambda: 1 << 20)
    monkeypatch.setattr(memory, "ENOUGH", 1)
    monkeypatch.setattr(memory, "available", lambda: 1 << 30)
    with contiguous_memory() as held:
        assert held == 2 << 20


def test_never_more_than_a_share_of_what_is_available(monkeypatch):
    monkeypatch.setattr(memory, "small_blocks", lambda: 1 << 40)
    monkeypatch.setattr(memory, "ENOUGH", 1)
    monkeypatch.setattr(memory, "available", lambda: 64 << 20)
    with contiguous_memory() as held:
        assert held == memory.MOST_SHARE * (64 << 20)


@pytest.mark.parametrize("problem", [OSError, ValueError, MemoryError])
def test_goes_on_without_where_the_memory_is_refused(monkeypatch, problem):
    def refuse(size):
        raise problem

    monkeypatch.setattr(memory, "small_blocks", lambda: 1 << 30)
    monkeypatch.setattr(memory, "available", lambda: 1 << 40)
    monkeypatch.setattr(memory, "_taken", refuse)
    with contiguous_memory() as held:
        assert held == 0


def resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()
