"""The report of runs while they are searched."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from profilers.errors import BadInput

if TYPE_CHECKING:
    from hwnas.live.server import Server


class Watching:
    """A page on this machine's loopback, until it is closed; use as a context manager."""

    def __init__(self, server: Server) -> None:
        self._server = server
        server.start()

    @property
    def address(self) -> str:
        """Where a browser of this machine finds it."""
        return self._server.address

    @property
    def standing(self) -> str:
        """How the runs stand, a line or two each."""
        return self._server.pages.lines

    def wait(self) -> None:
        """Until it is closed, or the program is interrupted."""
        self._server.wait()

    def close(self) -> None:
        """End it."""
        self._server.close()

    def __enter__(self) -> Watching:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def watch(runs: Path | str | Sequence[Path | str], port: int = 0) -> Watching:
    """Show the report of runs on this machine's loopback, and keep it up to date as evaluations are committed.

    Nothing is written. A run may be searched by another machine that shares its folder.

    Args:
        runs: the runs' folders.
        port: of the page; by default any free one.

    Raises:
        FileProblem: a folder holds no run. BadInput: a damaged run, or a port that is taken.

    Example:
        >>> import hwnas
        >>> run = hwnas.search("tiny", lambda arch: 90.0, objectives=["top1", "params"], initial=4, iterations=0,
        ...                    out="runs/doc-watch")
        >>> with hwnas.watch(run.folder) as page:
        ...     page.standing
        'doc-watch: 4 of 4 networks, iteration 0 of 0, finished'
    """
    from hwnas.live.server import Server
    from hwnas.live.source import Pages

    folders = [Path(runs)] if isinstance(runs, str | Path) else [Path(run) for run in runs]
    if not folders:
        raise BadInput("no run to watch", "a run's folder, or several")
    if not 0 <= port <= 65535:
        raise BadInput(f"--port {port}", "0 to 65535")
    return Watching(Server(Pages(folders), port))
