"""The command line. Each part of it is one module with `register(app)`; errors become one line and exit code 2."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from functools import cache
from typing import Any

import typer
from typer.core import TyperGroup

from hwnas.cli import streams
from hwnas.cli.examples import USES, add_to
from hwnas.cli.output import finish
from hwnas.version import __version__
from profilers import interruption, temporary
from profilers.errors import HwnasError
from profilers.outputs import FRESH
from profilers.printable import printable_lines

PARTS = {  # each module's commands: only the one that is asked for is imported
    "basics": ("engines", "count"),
    "recipe": ("init", "run"),
    "fetch": ("fetch",),
    "lut": ("lut",),
    "train": ("train",),
    "search": ("search", "archive", "select", "insights"),
    "export": ("export", "validate"),
    "profile": ("profile",),
    "compare": ("compare",),
    "report": ("report", "watch"),
    "devices": ("devices",),
    "spaces": ("spaces", "space"),
}

_NO_MEMORY = (
    "can't allocate memory", "out of memory", "could not create a primitive", "bad_alloc", "can't start new thread",
    "failed to map segment",
)  # fmt: skip


class _Interrupted(Exception):
    """An interruption on its way through typer, which would exit without a word."""

    def __init__(self, interrupt: KeyboardInterrupt) -> None:
        super().__init__(interrupt)
        self.interrupt = interrupt


class _Commands(TyperGroup):
    def make_context(self, *args: Any, **options: Any) -> Any:
        with streams.plain_usage():
            return super().make_context(*args, **options)

    def invoke(self, ctx: Any) -> Any:
        try:
            with streams.plain_usage():
                return super().invoke(ctx)
        except KeyboardInterrupt as interrupt:
            raise _Interrupted(interrupt) from interrupt
        except BrokenPipeError as error:  # or typer would end with 1
            if not streams.reader_left():
                raise HwnasError("a process that was spoken to has ended", remedy="the same command again") from error
            raise typer.Exit from error


def _root(version: bool = typer.Option(False, "--version", help="Print the version.")) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


@cache
def build(*parts: str) -> typer.Typer:
    """The application with the commands of some parts; by default with all."""
    app = typer.Typer(
        name="hwnas",
        cls=_Commands,
        help="Profile a device, search networks for its latency budget, ship measured engines.",
        epilog=USES,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=True,
        rich_markup_mode=None,
    )
    app.callback(invoke_without_command=True)(_root)
    for part in parts or PARTS:
        importlib.import_module(f"hwnas.cli.{part}").register(app)
    add_to(app)
    return app


@cache
def _command(*parts: str) -> Any:
    return typer.main.get_command(build(*parts))


def _command_for(arguments: Sequence[str]) -> Any:
    """With the part alone that has the command; with all of them for --help and where there is no such command."""
    first = next((x for x in arguments if not x.startswith("-")), "")
    return _command(*(part for part, names in PARTS.items() if first in names))


def main(arguments: list[str] | None = None) -> None:
    """Entry point of `hwnas`; never returns."""
    with interruption.terminable():
        try:
            with streams.held():
                _carry_out(arguments)
        except HwnasError as error:
            _fail("\n".join(f"hwnas: {line}" for line in str(error).splitlines()), 2)
        except _Interrupted as error:
            _end(error.interrupt)
        except SystemExit as end:
            if isinstance(end.__context__, typer.Exit) and isinstance(end.__context__.__cause__, KeyboardInterrupt):
                _end(end.__context__.__cause__)  # before or behind the command, where typer takes it
            raise
        except KeyboardInterrupt as interrupt:  # before a command began
            _end(interrupt)
        except OSError as error:
            _fail(f"hwnas: {error.strerror or error}{f': {error.filename}' if error.filename else ''}", 2)
        except Exception as error:  # what libraries raise for want of memory has no common base
            if not _is_of_memory(error):
                raise
            _fail("hwnas: out of memory; try: fewer networks or a smaller batch", 2)


def _carry_out(arguments: list[str] | None) -> None:
    try:
        given = sys.argv[1:] if arguments is None else arguments
        _command_for(given)(args=arguments, standalone_mode=True)
    finally:
        finish()


def _is_of_memory(error: Exception) -> bool:
    """Whether memory was lacking, which torch, oneDNN and the loader of libraries only say in words."""
    return isinstance(error, MemoryError) or any(words in str(error) for words in _NO_MEMORY)


def _end(interrupt: KeyboardInterrupt) -> None:
    """One line that is true, after Ctrl-C or SIGTERM."""
    again = f"the same command without {FRESH}" if FRESH in sys.argv else "the same command"
    with interruption.deaf():
        temporary.remove_all()
    _fail(f"hwnas: {interruption.line(interrupt, again)}", interruption.code(interrupt))


def _fail(line: str, code: int) -> None:
    print(printable_lines(line), file=sys.stderr)
    sys.exit(code)
