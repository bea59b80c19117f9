"""Weights of networks that a search has fine-tuned: `RUN/weights/ID.safetensors`, for those that may yet be chosen.

A worker writes the file before it answers, so a network with a row in the archive has one, until the search drops it
(`hwnas.search.front.may_be_chosen`). A search that was killed in between evaluates the network again and writes the
same file.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from hwnas.accuracy import Accuracy, KeepsNetworks
from hwnas.space import Architecture

WEIGHTS = "weights"


def weights_file(folder: Path, key: str) -> Path:
    """Where a run keeps the weights of the network of that id."""
    return folder / WEIGHTS / f"{key}.safetensors"


class Keeping:
    """A source of accuracies whose networks are written to a run's folder."""

    def __init__(self, source: KeepsNetworks, folder: Path) -> None:
        self.source, self.folder = source, folder
        self.images: int | None = getattr(source, "images", None)

    def evaluate(self, arch: Architecture) -> float:
        """As of the source."""
        return self.source.evaluate(arch, keep=weights_file(self.folder, arch.id))


def keeping(source: Any, folder: str | None) -> Accuracy:
    """The source, with its networks kept in `folder` if there is one."""
    return Keeping(source, Path(folder)) if folder else source


def drop_weights(folder: Path, ids: Collection[str]) -> None:
    """Remove the weights of those networks, as far as they are there."""
    for key in ids:
        weights_file(folder, key).unlink(missing_ok=True)


def kept_ids(folder: Path) -> set[str]:
    """The networks whose weights are there."""
    return {path.stem for path in (folder / WEIGHTS).glob("*.safetensors")}
