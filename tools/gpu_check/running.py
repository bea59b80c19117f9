"""Parts one by one, each in a forked process with a time limit, so that neither a hang nor a CUDA error ends the rest.

They are forked rather than started anew because importing torch and hwnas takes seconds that a lent card does not have.
That is safe here: this process imports, and runs nothing that has threads or touches the card.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from tools.gpu_check.check import Check
from tools.gpu_check.findings import Findings, LeftOut, read, write

GRACE = 3.0  # seconds between the time that a part is told and that at which it is killed
LAST_LINES = 12
LEAST_SECONDS = 20.0  # that a part gets, while there is as much
_REST = 0.5


class Part(NamedTuple):
    """One part of the check.

    name   as `--only` takes it
    title  for people
    share  of the time left, among those of the parts still to come
    run    finds; raises `LeftOut` where it cannot be done
    needs  parts without whose files it is left out
    """

    name: str
    title: str
    share: float
    run: Callable[[Check, Findings], None]
    needs: tuple[str, ...] = ()


class Outcome(NamedTuple):
    """How a part ended: "done", "failed", "timed out" or "left out", and why; `found` as `Findings` keeps it."""

    part: Part
    status: str
    seconds: float
    found: dict[str, Any]
    reason: str = ""
    last_lines: Sequence[str] = ()


def run_part(part: Part, check: Check, seconds: float) -> Outcome:
    """One part within `seconds`, killed with all that it started if it takes longer."""
    began, folder = time.monotonic(), check.folder
    limited = replace(check, ends=began + max(seconds - GRACE, seconds / 2))
    kept, log, why = (folder / f"{part.name}{ending}" for ending in (".found.json", ".log", ".why"))
    child = os.fork()
    if not child:
        _in_child(part, limited, kept, log, why)
    status = _wait(child, began + seconds)
    took, found = time.monotonic() - began, read(kept)
    if status is None:
        return Outcome(part, "timed out", took, found, f"stopped after {took:.0f} s", _tail(log))
    if status == 0:
        return Outcome(part, "done", took, found)
    if why.exists():
        return Outcome(part, "left out", took, found, why.read_text())
    how = f"killed by signal {-status}" if status < 0 else "an error"
    return Outcome(part, "failed", took, found, how, _tail(log))


def seconds_for(part: Part, later: Sequence[Part], left: float) -> float:
    """The limit of a part: its share of what is left and some of the rest on top, as most take less than theirs."""
    share = part.share / (part.share + sum(other.share for other in later))
    return max(left * share * (1 + (1 - share) * _REST), min(left, LEAST_SECONDS))


def _in_child(part: Part, check: Check, kept: Path, log: Path, why: Path) -> None:
    """Never returns."""
    code = 1
    try:
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
        _redirect(log)
        part.run(check, Findings(kept))
        code = 0
    except LeftOut as reason:
        write(why, str(reason))
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _redirect(log: Path) -> None:
    """What is printed, by any process of the part, goes to `log`; nothing is asked of the terminal."""
    target, nothing = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), os.open(os.devnull, os.O_RDONLY)
    for own in (1, 2):
        os.dup2(target, own)
    os.dup2(nothing, 0)
    sys.stdout, sys.stderr = (open(own, "w", buffering=1, closefd=False) for own in (1, 2))  # noqa: SIM115


def _wait(child: int, until: float) -> int | None:
    """The exit code, negative for a signal; None for one that was still running and is killed."""
    try:
        while time.monotonic() < until:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.05)
        return None
    finally:
        _kill_group(child)


def _kill_group(child: int) -> None:
    """The part and whatever it has started and left running."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(child, 0)


def _tail(log: Path) -> list[str]:
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return [line[:300] for line in lines if line.strip()][-LAST_LINES:]
