"""Run work that can hang or crash in a process of its own, which is killed with all its children at a time limit.

The child is a fresh interpreter (`python -m profilers.isolate`), not a fork: runtimes with threads do not survive one.
Function, arguments and result travel pickled between parent and child, which is this program on both sides.
By hand because multiprocessing leaves the child's own children running and its last words unread.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pickle
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import IO, Any, TypeVar

from profilers.errors import BadInput, MeasurementFailed

T = TypeVar("T")
PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def run_limited(fn: Callable[..., T], *args: Any, seconds: float) -> T:
    """`fn(*args)` in a child process.

    Args:
        fn: a function of an importable module (not of `__main__`, not a lambda).
        args: picklable arguments.
        seconds: limit on the whole, the start of the interpreter included.

    Raises:
        BadInput: `fn` or its arguments cannot be sent to another process.
        MeasurementFailed: the limit was reached, or the child died.
        Exception: whatever `fn` raised.
    """
    work = _packed_work(fn, args)
    read, write = os.pipe()
    with tempfile.TemporaryFile() as task, tempfile.TemporaryFile() as log, os.fdopen(read, "rb") as answers:
        task.write(work)  # a file, because a pipe would block on a child that does not read
        task.seek(0)
        child = _start(task, log, write)
        os.close(write)
        try:
            answer = _answer(answers, time.monotonic() + seconds)
        finally:
            _kill(child)
        if answer is None:
            raise MeasurementFailed(f"stopped at the time limit of {seconds:g} s", remedy="a longer limit")
        result: T = _result(answer, log)
        return result


def _packed_work(fn: Callable[..., object], args: tuple[Any, ...]) -> bytes:
    """What the child reads: where modules are found and who its parent is, then function and arguments."""
    if getattr(fn, "__module__", "") == "__main__":
        raise BadInput(f"{fn} cannot be sent to another process", "a function of an importable module")
    try:
        return pickle.dumps((sys.path, os.getpid())) + pickle.dumps((fn, args))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise BadInput(f"{fn} cannot be sent to another process: {error}", "a function of a module") from error


def _start(task: IO[bytes], log: IO[bytes], out: int) -> subprocess.Popen[bytes]:
    """A fresh interpreter that works on `task` and answers on `out`; the leader of a process group of its own."""
    command = [sys.executable, "-m", "profilers.isolate", str(out)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    return subprocess.Popen(
        command, stdin=task, stdout=log, stderr=log, pass_fds=[out], start_new_session=True, env=environment
    )


def _answer(answers: IO[bytes], deadline: float) -> bytes | None:
    """The child's whole answer (empty if it died), or None at the deadline."""
    parts: list[bytes] = []
    while (left := deadline - time.monotonic()) > 0:
        if select.select([answers], [], [], left)[0]:
            part = os.read(answers.fileno(), 1 << 20)
            if not part:
                return b"".join(parts)
            parts.append(part)
    return None


def _kill(child: subprocess.Popen[bytes]) -> None:
    """The child's whole process group: it leads a session of its own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _result(answer: bytes, log: IO[bytes]) -> Any:
    if not answer:
        log.seek(0)
        last = log.read().decode(errors="replace").strip().rpartition("\n")[2]
        raise MeasurementFailed(f"the measuring process died{': ' if last else ''}{last}")
    good, value = pickle.loads(answer)  # noqa: S301  written by our own child
    if not good:
        raise value
    return value


def end_with_parent(parent: int) -> bool:
    """From now on die with the parent process (Linux only); False if `parent`, its number, has ended already."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    return os.getppid() == parent


def _serve(out: int) -> None:
    """The child's side: work on stdin, the answer on `out`."""
    path, parent = pickle.load(sys.stdin.buffer)  # noqa: S301  written by our own parent
    sys.path[:] = path
    if not end_with_parent(parent):
        return
    try:
        fn, args = pickle.load(sys.stdin.buffer)  # noqa: S301
        answer = _pack(True, fn(*args))
    except Exception as error:
        answer = _pack(False, error)
    with os.fdopen(out, "wb") as stream:
        stream.write(answer)


def _pack(good: bool, value: Any) -> bytes:
    """Pickled; an answer that cannot be pickled (or read again) becomes a MeasurementFailed that names it."""
    try:
        data = pickle.dumps((good, value))
        pickle.loads(data)  # noqa: S301
        return data
    except Exception as error:
        reason = f"{type(value).__name__}: {value}" if not good else f"its result cannot be sent back: {error}"
        return pickle.dumps((False, MeasurementFailed(reason)))


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
