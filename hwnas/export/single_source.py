"""What sources of one network have in common: a file of an architecture, a net.config, a trained network, a model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, Self, TypeVar

from hwnas.export.exportable import Exportable

T = TypeVar("T", bound=Exportable)


@dataclass
class SingleSource(Generic[T]):
    """The one network, under the id ""; see `hwnas.export.source.Source`."""

    made: T
    about: str = ""
    notes: list[str] = field(default_factory=list)

    @property
    def ids(self) -> list[str]:
        """See `Source`."""
        return [""]

    @property
    def weights(self) -> str:
        """See `Source`."""
        return self.made.weights

    def item(self, key: str) -> T:
        """See `Source`."""
        return self.made

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass
