"""`timeout` of [evaluate]: the seconds that the evaluation of one network may take.

A process of workers is killed at its end. Where evaluations run in this process (serial, or as a task of Ray) an alarm
interrupts them, which Python code notices, and a library that never returns does not.
"""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from profilers.errors import BadInput, shown

NAME, MEANING = "timeout", "seconds that one network may take before it counts as failed; by default any"
AGAIN = 1.0  # s after which the alarm goes off again, where something has caught it


class TimedOut(BaseException):
    """An evaluation took too long; no `Exception`, which user code might catch."""


def of(options: Mapping[str, Any]) -> float | None:
    """The seconds that [evaluate] allows, None for any; BadInput for what is no time."""
    value = options.get(NAME)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 10**7:
        raise BadInput(f"evaluate.timeout = {shown(value)}", "seconds, more than 0", "timeout = 600")
    return float(value)


def without(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that are the source's own."""
    return {name: value for name, value in options.items() if name != NAME}


def of_source(text: str) -> float | None:
    """The same of the text that opens a source (`Config.source`)."""
    return of(json.loads(text)["evaluate"])


def reason(seconds: float) -> str:
    """Of the failure."""
    return f"TimedOut: no answer within {seconds:g} s (evaluate.timeout)"


@contextmanager
def within(seconds: float | None) -> Iterator[None]:
    """Raises `TimedOut` in the block when the time is over; None for any time.

    Raises:
        BadInput: not in a program's main thread, the only one that Python interrupts.
    """
    if seconds is None:
        yield
        return
    if threading.current_thread() is not threading.main_thread():
        raise BadInput("evaluate.timeout in a thread", "the main thread", 'accuracy = "python:module:NAME"')
    before, start = signal.signal(signal.SIGALRM, _ring), time.monotonic()
    left, every = signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if left:  # the program's own alarm, which goes off at its time, or at once where that is past
            signal.setitimer(signal.ITIMER_REAL, max(left - (time.monotonic() - start), 1e-6), every)


def _ring(number: int, frame: object) -> None:
    raise TimedOut
