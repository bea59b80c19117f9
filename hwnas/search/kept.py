"""Weights of networks that a search has fine-tuned: `RUN/weights/ID.safetensors`, for those on the front.

A worker writes the file before it answers, so a network with a row in the archive has one, until another dominates it.
One that was killed in between evaluates its network again and writes the same file.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwnas import accuracy
from hwnas.accuracy import Accuracy, KeepsNetworks
from hwnas.space import Architecture

if TYPE_CHECKING:
    from hwnas.search.config import Config
    from hwnas.search.run import Run

WEIGHTS = "weights"


def weights_file(folder: Path, key: str) -> Path:
    """Where a run keeps the weights of the network of that id."""
    return folder / WEIGHTS / f"{key}.safetensors"


def changes_weights(config: Config) -> bool:
    """Whether its evaluations fine-tune, so that the supernet alone does not give the networks that were evaluated."""
    kind, _ = accuracy.split(config.accuracy)
    return kind == "supernet" and bool(config.evaluate.get("finetune_epochs"))


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


def drop_dominated(run: Run) -> None:
    """Remove the weights of networks that are evaluated and not on the front, which they never reach again."""
    from hwnas.select.select import front

    files = list((run.folder / WEIGHTS).glob("*.safetensors"))
    if not files:
        return
    rows = run.archive.evaluations()
    dropped = {row.arch.id for row in rows} - {row.arch.id for row in front(run.problem, rows)}
    for path in files:
        if path.stem in dropped:
            path.unlink(missing_ok=True)
