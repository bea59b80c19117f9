"""Fixtures shared by all tests, and a run's cores; what is not on this machine is skipped with its reason."""

from __future__ import annotations

import os
import signal
from pathlib import Path

# Before torch: two threads that wait for each other crawl on a busy machine
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import settings

from profilers import registry
from profilers.timing import fresh_process, plans
from tests import cores, skipped

if cores.CAN_PIN:  # before torch and the runtimes, whose threads inherit it
    os.sched_setaffinity(0, cores.own_core(os.environ.get("PYTEST_XDIST_WORKER")))

settings.register_profile("busy", deadline=None)  # other work on the machine is no fault of the code
settings.register_profile("ci", deadline=None, derandomize=True, database=None, max_examples=100)
settings.load_profile("busy")

for _plan in (plans.ENGINE, plans.COMPARE):  # what an engine's time is, no test here asks; they are many
    object.__setattr__(_plan, "least_seconds", 0.1)
    object.__setattr__(_plan, "seconds", 1.0)
object.__setattr__(plans.THROUGHPUT, "seconds", 1.0)
fresh_process.SECONDS = 0.2

if (
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN
):  # a shell's background job; what a test starts would ignore it too
    signal.signal(signal.SIGINT, signal.default_int_handler)

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.hookimpl(trylast=True)  # behind the choice of tests by -m and -k
def pytest_collection_modifyitems(config, items):
    count = getattr(config, "workerinput", {"workercount": 1})["workercount"]
    if count > 1:
        items[:] = cores.slow_first(items, [item.get_closest_marker("slow") is not None for item in items], count)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    return min(len(cores.ALL), cores.MOST_WORKERS)


def pytest_terminal_summary(terminalreporter):
    reasons = [str(report.longrepr[2]) for report in terminalreporter.stats.get("skipped", [])]
    for line in skipped.summary(reasons):
        terminalreporter.write_line(line)


@pytest.fixture(autouse=True)
def _own_runtimes():
    """Those that a test makes known are forgotten after it: others have the same names."""
    found, places = dict(registry.PROFILERS._found), dict(registry._places)
    yield
    registry.PROFILERS._found, registry._places = found, places


@pytest.fixture(autouse=True)
def _two_cores(request):
    """`two_cores` on a test: it may use every core, and is skipped where there is one."""
    if request.node.get_closest_marker("two_cores") is None:
        yield
        return
    if len(cores.ALL) < 2:
        pytest.skip("needs two cores")
    with cores.all_cores():
        yield


@pytest.fixture(scope="session")
def published() -> Path:
    """The authors' published files, which are not part of the project."""
    folder = SHARED / "published"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not on this machine")
    return folder
