"""`hwnas fetch`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

import hwnas
from hwnas.cli.output import AsJson, at_terminal, emit, emit_for_programs, say
from hwnas.cli.shared import Fresh
from hwnas.fetch import FILES, GROUPS, default_cache, find
from profilers.errors import BadInput

LISTED = ("name", "what", "cached")  # at a terminal


def fetch(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME…", help=f"Files, or groups: {', '.join(GROUPS)}.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--from", metavar="DIR", help="Take the files from this folder, offline.")
    ] = None,
    cache: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Cache folder; by default HWNAS_CACHE, or ~/.cache/hwnas/files.")
    ] = None,
    listing: Annotated[
        bool, typer.Option("--list", help="List the files, and which of them are in the cache.")
    ] = False,
    fresh: Fresh = False,
    as_json: AsJson = False,
) -> None:
    """Download the authors' public files (supernets, predictor, tables) into a cache; prints their paths as JSONL.

    An interrupted download resumes. Every file is checked against the hash of the authors' own. Files in the cache need
    no network.
    """
    place = cache or default_cache()
    if listing and folder is not None:
        raise BadInput(f"--from {folder} with --list, which takes nothing", "one of them")
    if listing:
        _list(names, place)
        return
    for file, fetched in hwnas.fetch(names or (), cache=place, folder=folder, fresh=fresh):
        emit_for_programs(asdict(fetched))
        line = f"{fetched.path}: {file.what}, {fetched.bytes / 1e6:.1f} MB, from {fetched.source}"
        if not fetched.pinned:
            line += "; not pinned: the SHA-256 of the first download is recorded, nothing vouches for that one"
        say(line)


def _list(names: list[str] | None, place: Path) -> None:
    for file in find(names) if names else FILES.values():
        path = place / file.path
        held = {"pinned": file.pinned, "cached": path.is_file()}
        facts = {"name": file.name, "what": file.what, "url": file.url, "path": str(path), **held}
        emit({name: facts[name] for name in LISTED} if at_terminal() else facts)


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(fetch)
