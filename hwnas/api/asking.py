"""Searching by ask and tell: the program says how accurate networks are, in its own time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.table import Table

from hwnas import accuracy as sources
from hwnas.api.configured import OUT, Tables, configured, own_objectives
from hwnas.api.display import Printable, facts
from hwnas.api.network import Network
from hwnas.api.spaces import Resolutions
from hwnas.search import checks
from hwnas.search.ask_tell import AskTell
from hwnas.search.own_objectives import OwnObjective
from hwnas.space import SearchSpace


class Search(Printable):
    """A search that asks and is told; opened by `open_search`."""

    def __init__(self, loop: AskTell) -> None:
        self._run, self._loop = loop.run, loop

    @property
    def folder(self) -> Path:
        """The run's."""
        return self._run.folder

    @property
    def finished(self) -> bool:
        """Whether there is nothing more to ask."""
        return self._loop.finished

    def ask(self, n: int = 1) -> list[Network]:
        """At most `n` networks to evaluate next; none when the search is finished.

        Those that were asked for and not told of come again when nothing else is left of their iteration.
        """
        return [Network.of(self._run.space, arch) for arch in self._loop.ask(n)]

    def tell(
        self, network: Network | str, top1: float | None = None, *, error: str = "", images: int | None = None
    ) -> None:
        """Record how accurate a network is, at once and for good.

        Args:
            network: one that was asked for, or its id.
            top1: percent.
            error: why it could not be evaluated, in place of `top1`.
            images: on how many images `top1` was found, for its interval.

        Raises:
            BadInput: a network that was not asked for, or was told of before; a `top1` that may be a fraction.
        """
        self._loop.tell(network, top1, error=error or None, images=images)

    def table(self) -> Table:
        """See `Printable`."""
        rows = [("evaluated", str(len(self._run.archive.evaluations()))), ("finished", str(self.finished))]
        return facts(f"Search in {self.folder}", rows)


@contextmanager
def open_search(
    space: str | SearchSpace = "mbv3",
    *,
    objectives: Sequence[str | OwnObjective] = ("top1", "params", "madds"),
    tables: Tables | None = None,
    budget: Mapping[str, float] | None = None,
    initial: int = 100,
    iterations: int = 30,
    per_iteration: int = 8,
    out: Path | str = OUT / "search",
    seed: int = 1,
    resolutions: Resolutions = None,
    classes: int | None = None,
    evaluate: Mapping[str, Any] | None = None,
    surrogate: str = "auto",
    init_from: Path | str | None = None,
    settings: Mapping[str, Any] | None = None,
    resume: bool = True,
    fresh: bool = False,
) -> Iterator[Search]:
    """A search by ask and tell: it proposes networks, the program says how accurate they are, in its own time.

    What is told is kept at once; the same call continues what was interrupted, and the run becomes the one that
    `search` would have made. Arguments as of `search`; `evaluate={"unit": "fraction"}` where top-1 is from 0 to 1.

    Example:
        >>> import hwnas
        >>> with hwnas.open_search("tiny", objectives=["top1", "params"], initial=6, iterations=1, per_iteration=2,
        ...                        out="runs/doc-asked") as search:
        ...     while networks := search.ask(4):
        ...         for network in networks:
        ...             search.tell(network, top1=90.0 + network.to_json()["r"] / 10)
        >>> len(hwnas.Run("runs/doc-asked").networks)
        8
    """
    wanted = {
        "space": space, "accuracy": sources.GIVEN, "objectives": objectives, "budget": budget, "seed": seed,
        "resolutions": resolutions, "classes": classes, "evaluate": evaluate, "init_from": init_from,
        "settings": settings, "surrogate": surrogate, "initial": initial, "iterations": iterations,
        "per_iteration": per_iteration,
    }  # fmt: skip
    folder = Path(out)
    with configured(tables or {}, wanted) as config:
        checks.check(folder, config, own := own_objectives(objectives), fresh=fresh)
        with AskTell.open(folder, config, given=own, resume=resume, fresh=fresh) as loop:
            yield Search(loop)
