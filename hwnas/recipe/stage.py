"""The contract of a stage: one step of a recipe, with what it depends on, what it makes and how it is run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from hwnas.recipe.digests import digest
from hwnas.recipe.work import Work


class Stage(ABC):
    """One step. `needs` are the stages whose products it reads, `follows` those after whose change it goes on."""

    name: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ()
    follows: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def settings(self, work: Work) -> dict[str, Any]:
        """What it depends on beside the products that it needs, in plain values: other ones make its own obsolete."""

    @abstractmethod
    def products(self, work: Work) -> Sequence[Path]:
        """Files and folders that it has made when it is done; those of later stages read them."""

    @abstractmethod
    def run(self, work: Work, seconds: float) -> str:
        """Do it, or what is left of it; returns what came of it, for people. `seconds` is what it may take."""

    def checks(self) -> Sequence[Callable[[Work], None]]:
        """Functions that raise whatever would make it fail later; each is called whatever the others found."""
        return ()

    def given(self, work: Work) -> str:
        """Why there is nothing to do, "" where there is."""
        return ""

    def working(self, work: Work) -> Sequence[Path]:
        """All that it writes, files of unfinished work too: what is put aside when it is done anew."""
        return self.products(work)

    def done(self, work: Work) -> bool:
        """Whether all products are there."""
        return all(path.exists() for path in self.products(work))

    def made(self, work: Work) -> str:
        """What tells its products from others."""
        return digest(self.products(work))

    def continues(self, before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
        """Whether what was made with other settings is continued and not done anew."""
        return False
