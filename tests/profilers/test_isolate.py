from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from profilers.errors import BadInput, MeasurementFailed
from profilers.isolate import run_limited
from tests.profilers import work

pytestmark = pytest.mark.slow


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def pids_in(note: Path, seconds: float = 30) -> list[int]:
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if note.exists() and len(text := note.read_text().split()) == 2:
            return [int(p) for p in text]
        time.sleep(0.02)
    raise AssertionError("the child did not start")


def gone(pids: list[int], seconds: float = 10) -> bool:
    limit = time.monotonic() + seconds
    while time.monotonic() < limit and any(map(alive, pids)):
        time.sleep(0.02)
    return not any(map(alive, pids))


def test_the_result_comes_back():
    assert run_limited(work.add, 2, 3, seconds=60) == 5


def test_large_values_travel_both_ways():
    data = os.urandom(1 << 22)
    assert run_limited(work.echo, data, seconds=60) == data


def test_exceptions_come_back_as_they_are():
    with pytest.raises(BadInput) as caught:
        run_limited(work.refuse, seconds=60)
    assert str(caught.value) == "got this; allowed: that; try: do it"


def test_exceptions_and_results_that_cannot_travel_are_named():
    with pytest.raises(MeasurementFailed, match="LocalError: cannot travel"):
        run_limited(work.raise_unpicklable, seconds=60)
    with pytest.raises(MeasurementFailed, match="cannot be sent back"):
        run_limited(work.unpicklable, seconds=60)


def test_a_time_limit_kills_the_process_and_its_children(tmp_path):
    note = tmp_path / "pids"
    for seconds in (3, 12, 48):  # until the child has started: on a busy machine that takes a while
        with pytest.raises(MeasurementFailed, match=f"time limit of {seconds} s"):
            run_limited(work.hang_with_child, str(note), seconds=seconds)
        if note.exists():
            break
    assert gone(pids_in(note, 0.1))


def test_a_hanging_device_is_stopped():
    with pytest.raises(MeasurementFailed, match="time limit"):
        run_limited(work.run_hanging_device, seconds=2)


@pytest.mark.parametrize(("how", "said"), [("exit", "died: last words"), ("signal", "died")])
def test_a_dying_process_is_a_failed_measurement(how, said):
    with pytest.raises(MeasurementFailed, match=said):
        run_limited(work.die, how, seconds=60)


def test_what_cannot_be_sent_is_refused():
    with pytest.raises(BadInput, match="cannot be sent"):
        run_limited(lambda: 0, seconds=60)


def test_a_killed_parent_takes_its_worker_along(tmp_path):
    note = tmp_path / "pids"
    code = f"from tests.profilers import work; work.limited_hang({str(note)!r})"
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[2])
    worker, grandchild = pids_in(note)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    died = gone([worker])
    os.kill(grandchild, signal.SIGKILL)
    assert died
