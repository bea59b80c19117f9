"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hwnas.space import SPACES
from profilers.registry import get_profiler

SPACE_HELP = f"Search space: {', '.join(SPACES)}, FILE.toml or python:module:NAME"
SpaceName = Annotated[str, typer.Option("--space", help=f"{SPACE_HELP}.")]
Resolutions = Annotated[str | None, typer.Option("--resolutions", help="FIRST:LAST:STEP, or a list such as 160,192.")]
Classes = Annotated[int | None, typer.Option("--classes", help="Number of classes; by default the space's own.")]
State = Annotated[
    str,
    typer.Option(
        "--state",
        help="steady: back to back, as benchmark tools do; interrupted: with the caches evicted by other work.",
    ),
]
Where = Annotated[
    str,
    typer.Option(
        "--device",
        help="Machine to measure on: a name of hwnas devices, or ssh://[user@]host[:port]; by default this one.",
    ),
]
Several = Annotated[
    list[str] | None,
    typer.Option(
        "--device", help="A name of hwnas devices, or ssh://[user@]host[:port]; given again: a table of each."
    ),
]

OwnEngine = Annotated[
    str | None, typer.Option("--engine", help="python:module:Class, where the engine is a runtime of your own.")
]

Fresh = Annotated[bool, typer.Option("--fresh", help="Start again, replacing what this command wrote there.")]
Resume = Annotated[bool, typer.Option("--resume", hidden=True, help="What every command does by itself.")]


def modified(path: Path | None) -> int:
    """When a file was written, in nanoseconds; 0 where there is none."""
    return path.stat().st_mtime_ns if path is not None and path.exists() else 0


def know_engine(name: str | None) -> None:
    """Import the runtime of one's own that `--engine` names; files name it by its own name."""
    if name:
        get_profiler(name)
