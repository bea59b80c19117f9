from __future__ import annotations

import _thread
import os
import threading

import pytest

from profilers.base import Options, TimingPlan
from profilers.errors import BadInput
from profilers.runtimes.fake import Fake
from profilers.timing.here import HERE
from profilers.timing.pinning import affinity, allowed_cores, gather, pin, unpinned
from tests import cores
from tests.profilers import models


def test_pins_to_the_first_cores_and_restores():
    before = os.sched_getaffinity(0)
    with pin(1) as cores:
        assert os.sched_getaffinity(0) == set(cores) == {min(before)}
    assert os.sched_getaffinity(0) == before


def test_restores_after_an_error():
    before = os.sched_getaffinity(0)
    with pytest.raises(ZeroDivisionError), pin(1):
        _ = 1 / 0
    assert os.sched_getaffinity(0) == before


@pytest.mark.parametrize("threads", [0, len(allowed_cores()) + 1])
def test_more_threads_than_cores_are_refused(threads):
    with pytest.raises(BadInput, match=f"1 to {len(allowed_cores())}"), pin(threads):
        pass


@pytest.fixture
def of_a_runtime():
    """Starts threads that Python does not know, on the cores given."""
    end = threading.Event()

    def start(on):
        begun, known = threading.Event(), []

        def work():
            known.append(_thread.get_native_id())
            os.sched_setaffinity(0, on)
            begun.set()
            end.wait()

        _thread.start_new_thread(work, ())
        assert begun.wait(60)
        return known[0]

    yield start
    end.set()


@pytest.mark.two_cores
def test_threads_of_runtimes_come_to_the_pinned_cores_and_go_back(of_a_runtime):
    first, second = cores.ALL[:2]
    end = threading.Event()
    (users := threading.Thread(target=end.wait)).start()
    old = of_a_runtime({second})
    with pin(1):
        new = of_a_runtime({second})
        gather()
        assert affinity(old) == affinity(new) == {first}
        assert affinity(users.native_id) == set(cores.ALL)
    end.set()
    assert affinity(old) == {second}
    assert affinity(new) == set(cores.ALL)


@pytest.mark.two_cores
def test_without_a_pin_threads_stay_where_they_are(of_a_runtime):
    thread = of_a_runtime({cores.ALL[1]})
    gather()
    assert affinity(thread) == {cores.ALL[1]}


@pytest.mark.two_cores
def test_a_thread_that_begins_in_the_first_run_helps_on_the_pinned_cores(of_a_runtime):
    """As those of oneTBB do, on the cores that the process had at first."""
    session, helper = Fake().load(models.chain(), Options(threads=2)), []
    run = session.run

    def with_help():
        helper.extend([] if helper else [of_a_runtime(set(cores.ALL))])
        run()

    session.run = with_help
    with pin(1) as pinned:
        HERE.time({"a": session}, TimingPlan(max_rounds=3, min_rounds=3))
        assert affinity(helper[0]) == set(pinned)


@pytest.mark.two_cores
def test_what_is_learnt_once_is_learnt_on_all_cores():
    with pin(1) as pinned:
        with unpinned():
            assert os.sched_getaffinity(0) == set(cores.ALL)
        assert os.sched_getaffinity(0) == set(pinned)
    with unpinned():
        assert os.sched_getaffinity(0) == set(cores.ALL)
