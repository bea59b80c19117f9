"""One input in this process: its commands one after the other, with a time limit, and what came of each."""

from __future__ import annotations

import io
import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from profilers.errors import HwnasError
from tools.campaign.case import Command, Kind
from tools.campaign.judge import HANG, Finding, judged, listing

WAITING = 4.0
INSTALLED = (sys.prefix, sys.base_prefix, str(Path(__file__).resolve().parents[2]))


class TimeIsUp(BaseException):
    """The input took too long; nothing of ours catches it."""


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Args:
        code: its exit code; 0 and 2 for a call from Python that returned and that raised an HwnasError.
        out: its stdout, or the text of what was returned.
        err: its stderr.
        trace: of an exception that nobody caught.
    """

    code: int
    out: str
    err: str
    trace: str = ""


def tried(kind: Kind, seed: int, number: int, prepared: Path, here: Path) -> tuple[str, list[Finding], bool]:
    """(the mutation in words, what was found, whether a command took it) of one input, made in the folder `here`."""
    random = Random(f"{kind.name} {seed} {number}")
    case = kind.mutate(random, prepared, here)
    found: list[Finding] = []
    took = False
    for index, command in enumerate(case.commands):
        before = listing(here)
        try:
            with limit(kind.seconds), chdir(here):
                ended = run(command)
        except TimeIsUp:
            return case.what, [*found, Finding(HANG, f"{_words(command)}: more than {kind.seconds:g} s")], took
        took |= ended.code == 0
        found += [
            Finding(each.verdict, f"{_words(command)}: {each.text}")
            for each in judged(case, index, ended, before, listing(here))
        ]
    return case.what, found, took


def run(command: Command) -> Ended:
    """A command to its end."""
    out, err = _stream("strict"), _stream("backslashreplace")
    trace = ""
    with redirect_stdout(out), redirect_stderr(err), _same_process():
        try:
            code = _called(command, out) if callable(command) else _main([*command])
        except TimeIsUp:
            raise
        except BaseException:
            code, trace = 1, traceback.format_exc()
    return Ended(code, _text(out), _text(err), trace)


@cache
def _command_line() -> Callable[[list[str]], None]:
    """`hwnas.cli.main`; typer makes its commands anew in each call, which takes longer than most of them do."""
    import typer.main

    from hwnas.cli import main

    typer.main.get_command = cache(typer.main.get_command)
    return main


def _main(arguments: list[str]) -> int:
    main = _command_line()
    before, sys.argv = sys.argv, ["hwnas", *arguments]
    try:
        main(arguments)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(bool(end.code))
    finally:
        sys.argv = before
    return 0


def _called(call: Any, out: io.TextIOWrapper) -> int:
    try:
        found = call()
    except HwnasError as error:
        print(error, file=sys.stderr)
        return 2
    out.write(str(found))
    return 0


@contextmanager
def limit(seconds: float) -> Iterator[None]:
    """Raises `TimeIsUp` in the block after so much of the processor's time; not where C code does not return.

    Or after `WAITING` times as long, because it may wait for ever, and a busy machine is no fault of the code.
    """

    def end(number: int, frame: object) -> None:
        raise TimeIsUp

    timers = {signal.SIGPROF: (signal.ITIMER_PROF, seconds), signal.SIGALRM: (signal.ITIMER_REAL, WAITING * seconds)}
    before = {number: signal.signal(number, end) for number in timers}
    for timer, after in timers.values():
        signal.setitimer(timer, after, 1.0)  # again, where a finaliser swallowed it
    try:
        yield
    finally:
        for number, (timer, _) in timers.items():
            signal.setitimer(timer, 0)
            signal.signal(number, before[number])


@contextmanager
def _same_process() -> Iterator[None]:
    """What a command changes of its process is changed back; modules from the inputs' folders are forgotten."""
    environment, level, modules = dict(os.environ), logging.root.level, set(sys.modules)
    try:
        yield
    finally:
        for name in sys.modules.keys() - modules:
            if not str(getattr(sys.modules[name], "__file__", None) or INSTALLED[0]).startswith(INSTALLED):
                del sys.modules[name]
        os.environ.clear()
        os.environ.update(environment)
        logging.root.setLevel(level)


def _stream(errors: str) -> io.TextIOWrapper:
    """As a terminal's: text that UTF-8 cannot hold is an error on stdout."""
    return io.TextIOWrapper(io.BytesIO(), "utf-8", errors, newline="", write_through=True)


def _text(stream: io.TextIOWrapper) -> str:
    data: Any = stream.buffer
    return bytes(data.getvalue()).decode("utf-8", "replace")


def _words(command: Command) -> str:
    return getattr(command, "__name__", "a call") if callable(command) else " ".join(command)
