from __future__ import annotations

import os

import pytest

from profilers.errors import BadInput
from profilers.timing.pinning import allowed_cores, pin


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
