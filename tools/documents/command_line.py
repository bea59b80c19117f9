"""The reference page of the command line, from the commands themselves."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any

import typer

from hwnas.cli import build

HEAD = """# The command line

Written from the commands' own `--help` when this site is built.

Output for programs goes to stdout as JSON, one object per line; output for people goes to stderr. A terminal shows
both, so there the JSON becomes a table with rounded numbers, unless you give `--json`. Progress goes to stderr: a bar
at a terminal, elsewhere a line per minute. Exit codes are explained on [Errors and exit codes](errors.md). If a
command was interrupted, run it again and it resumes; it keeps finished output of the same request. `--fresh` starts
again.
"""


def text() -> str:
    """The page."""
    root = typer.main.get_command(build())
    return "\n".join([HEAD, *_group(root, "hwnas", 2)])


def commands(root: Any, path: str) -> Iterator[tuple[str, Any]]:
    """(as it is typed, the command) of every command that is no group."""
    for name, command in root.commands.items():
        if command.hidden:
            continue
        if hasattr(command, "commands"):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def _group(root: Any, path: str, level: int) -> Iterator[str]:
    for place, command in commands(root, path):
        yield from _command(place, command, level)


def _command(place: str, command: Any, level: int) -> Iterator[str]:
    context = command.context_class(command, info_name=place)
    yield f"{'#' * level} `{place}`\n"
    yield f"{(command.help or '').strip()}\n"
    yield f"```text\n{' '.join(command.get_usage(context).removeprefix('Usage: ').split())}\n```\n"
    records = [record for parameter in command.get_params(context) if (record := _record(parameter, context))]
    yield "| argument or option | meaning |\n|---|---|"
    yield from (f"| {_code(names)} | {_cell(meaning)} |" for names, meaning in records)
    yield ""


def _record(parameter: Any, context: Any) -> tuple[str, str] | None:
    found = parameter.get_help_record(context)
    return None if found is None else (found[0], found[1])


def _cell(words: str) -> str:
    return re.sub(r"([\[\]*_<>|])", r"\\\1", " ".join(words.split()))


def _code(words: str) -> str:
    return f"<code>{html.escape(words).replace('|', '&#124;')}</code>"
