"""One measurement at a time on a device."""

from __future__ import annotations

import os

import pytest

from profilers.devices.faults import DeviceBusy
from profilers.devices.lock import DeviceLock

WHO = {"who": "me@laptop", "since": "2026-11-29 02:00:00", "process": os.getpid()}


def test_two_never_measure_at_once(tmp_path):
    first, second = DeviceLock(tmp_path / "lock"), DeviceLock(tmp_path / "lock")
    first.take(WHO)
    with pytest.raises(DeviceBusy, match=r"by me@laptop since 2026-11-29 02:00:00 \(process \d+ there\)"):
        second.take(WHO)
    first.release()
    assert not (tmp_path / "lock").exists()
    second.take(WHO)
    second.release()


def test_what_a_killed_one_left_is_taken_over(tmp_path):
    (tmp_path / "lock").write_text("{")
    lock = DeviceLock(tmp_path / "lock")
    lock.take(WHO)
    with pytest.raises(DeviceBusy, match="me@laptop"):
        DeviceLock(tmp_path / "lock").take(WHO)
    lock.release()


def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "other").write_text("content")
    (tmp_path / "lock").symlink_to(tmp_path / "other")
    with pytest.raises(OSError, match="symbolic"):
        DeviceLock(tmp_path / "lock").take(WHO)
    assert (tmp_path / "other").read_text() == "content"
