"""Functions that tests run in other processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from profilers.base import Options
from profilers.errors import BadInput
from profilers.isolate import run_limited
from profilers.runtimes.fake import Behaviour, Fake
from tests.profilers.models import chain


def add(a: int, b: int) -> int:
    print("noise on stdout")  # must not disturb the answer
    return a + b


def echo(data: bytes) -> bytes:
    return data


def refuse() -> None:
    raise BadInput("got this", "that", "do it")


def raise_unpicklable() -> None:
    class LocalError(Exception):
        pass

    raise LocalError("cannot travel")


def unpicklable() -> object:
    return lambda: 0


def die(how: str) -> None:
    if how == "exit":
        print("last words", file=sys.stderr, flush=True)
        os._exit(3)
    os.kill(os.getpid(), signal.SIGSEGV)


def hang_with_child(note: str) -> None:
    child = subprocess.Popen(["sleep", "1000"])
    Path(note).write_text(f"{os.getpid()} {child.pid}")
    time.sleep(1000)


def limited_hang(note: str) -> None:
    run_limited(hang_with_child, note, seconds=1000)


def run_hanging_device() -> None:
    Fake(Behaviour(hang=True)).load(chain(), Options()).run()
