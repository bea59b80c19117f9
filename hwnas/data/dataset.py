"""What a data set is to training and validation: labelled images by split, at any resolution.

images (n, C, r, r) float32, normalised by (value - mean) / std with values in 0..1      labels (n,) int64
splits: "train" trains and calibrates, "val" (held out of training) guides search, "test" is for the end (a folder of
the user's own may have none)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from hwnas.data.splits import Keys, Order, keyed_order, keys_of
from hwnas.data.threads import DEPTH, prefetch
from profilers.errors import BadInput

SPLITS = ("train", "val", "test")
Indices = NDArray[np.integer[Any]]
Batch = tuple[Tensor, Tensor]  # images (n, C, r, r) and labels (n,)


class BatchRequest(NamedTuple):
    """A batch to be made; `augment` may be drawn from in another thread, so nothing else may draw from it."""

    indices: Indices
    resolution: int
    augment: np.random.Generator | None = None


class Dataset(ABC):
    """Labelled images; a subclass says where they come from and how they are augmented."""

    name: str  # the reference that opens it again, see `hwnas.data.reference`
    class_names: tuple[str, ...]
    in_channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    views: int = 0  # distorted copies of each validation image that a search judges beside the image itself
    splits: tuple[str, ...] = SPLITS
    crop: float = 1.0  # part of the resized shorter side that evaluation keeps, in the centre
    white: float | None = None  # the value of white in files of more than 8 bits, where the files do not say
    lazy: bool = False  # whether images are read from disk as they are asked for
    left_out: Mapping[str, str] = {}  # damaged images that were left out, and what is wrong with them

    @property
    def classes(self) -> int:
        """How many."""
        return len(self.class_names)

    @property
    def last_split(self) -> str:
        """What a finished network is judged on: "test", or "val" where there is no test split."""
        return self.splits[-1]

    @abstractmethod
    def labels(self, split: str) -> Tensor:
        """(n,) int64 labels of a split."""

    @abstractmethod
    def batch(self, split: str, indices: Indices, resolution: int, augment: np.random.Generator | None = None) -> Batch:
        """Images (n, C, r, r) and labels (n,) of those indices, augmented if a generator is given."""

    def with_channels(self, channels: int) -> Dataset:
        """The data set with images of so many channels; BadInput if they cannot be converted."""
        if channels == self.in_channels:
            return self
        raise BadInput(f"images of {self.in_channels} channels in {self.name}", f"{channels}, as the network takes")

    def size(self, split: str) -> int:
        """Images in a split."""
        return len(self.labels(split))

    def images(self, split: str, resolution: int, count: int | None = None) -> Tensor:
        """(n, C, r, r): all images of a split as they are listed, or `sample` of them."""
        return self.batch(split, self._order(split, count), resolution)[0]

    def batches(self, split: str, resolution: int, size: int, count: int | None = None) -> Iterator[Batch]:
        """What `images` gives, with labels and `size` images at a time: not all of them are in memory together."""
        order = self._order(split, count)
        parts = (order[i : i + size] for i in range(0, len(order), size))
        return self.prefetch(split, (BatchRequest(part, resolution) for part in parts))

    def prefetch(self, split: str, requests: Iterable[BatchRequest], depth: int = DEPTH) -> Iterator[Batch]:
        """The batches requested, in order; where images are read from disk, up to `depth` are made ahead of their use.

        `requests` is consumed in the caller's thread, `depth` further than the batches.
        """
        if self.lazy:
            return prefetch(lambda request: self.batch(split, *request), requests, depth)
        return (self.batch(split, *request) for request in requests)

    def sample(self, split: str, count: int) -> Order:
        """Indices of `count` images of a split (all, if it has no more), the same ones in every run.

        Any consecutive ones of them have the classes in nearly the split's proportions, and neither the choice nor the
        order depends on how the images are listed.
        """
        orders: dict[str, Order] = vars(self).setdefault("_orders", {})
        if split not in orders:
            orders[split] = keyed_order(self.labels(split).numpy(), self.keys(split))
        return orders[split][:count]

    def keys(self, split: str) -> Keys:
        """(n,) a number of each image; of its place in the split, where a subclass knows nothing better."""
        return keys_of(str(i).encode() for i in range(self.size(split)))

    def _order(self, split: str, count: int | None) -> Order:
        return np.arange(self.size(split)) if count is None else self.sample(split, count)

    def _unknown(self, split: str) -> BadInput:
        hint = "add a folder test, with the same classes" if split == "test" else ""
        return BadInput(f"a split {split!r} of {self.name}", ", ".join(self.splits), hint)
