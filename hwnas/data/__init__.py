"""Data sets by name. A new one is a function that makes a `Dataset` and one line here."""

from __future__ import annotations

from collections.abc import Callable

from hwnas.data.dataset import SPLITS, Augmentation, Dataset, MemoryDataset
from hwnas.data.digits import load_digits
from profilers.errors import BadInput

DATASETS: dict[str, Callable[[], Dataset]] = {"digits": load_digits}


def get_dataset(name: str) -> Dataset:
    """The data set of that name; BadInput if it is unknown."""
    if name not in DATASETS:
        raise BadInput(f"unknown data set {name!r}", ", ".join(sorted(DATASETS)))
    return DATASETS[name]()


__all__ = ["DATASETS", "SPLITS", "Augmentation", "Dataset", "MemoryDataset", "get_dataset"]
