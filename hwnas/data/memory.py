"""Small grey data sets that lie in memory whole, distorted at random in training; of them, scikit-learn's digits.

Source of the digits: UCI, "Optical Recognition of Handwritten Digits" (its test part), as scikit-learn ships it.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from hwnas.data.dataset import Batch, Dataset, Indices
from hwnas.data.reference import Reference
from hwnas.data.splits import Keys, keys_of, stratified_order
from profilers.errors import BadInput

HELD_OUT = 400  # digits each for validation and test


def load_digits(reference: Reference) -> Dataset:
    """1,797 images of 8 x 8 pixels, whose values 0..16 become 0..1: 400 test, 400 validation, 997 training images."""
    images, labels, splits = read_digits(reference, "digits")
    return MemoryDataset("digits", images, labels, splits, Augmentation(rotate=10, scale=0.1, shift=0.08), views=4)


def read_digits(reference: Reference, name: str) -> tuple[NDArray[np.float32], Indices, Mapping[str, Indices]]:
    """Images (1797, 1, 8, 8), labels (1797,) and each split's indices; BadInput for options that `name` has not."""
    from sklearn.datasets import load_digits as load

    if reference != Reference(name):
        raise BadInput(f"data set {reference}", f"{name}: it is built in and takes neither folder nor options")
    raw = load()
    images = (raw.images[:, None] / 16).astype(np.float32)  # (1797, 1, 8, 8)
    order = stratified_order(raw.target)
    splits = {"test": order[:HELD_OUT], "val": order[HELD_OUT : 2 * HELD_OUT], "train": order[2 * HELD_OUT :]}
    return images, raw.target, splits


@dataclass(frozen=True)
class Augmentation:
    """Random affine distortion: rotation (degrees), scale and shift (fractions), each uniform within +/- its value."""

    rotate: float = 0.0
    scale: float = 0.0
    shift: float = 0.0

    def matrices(self, n: int, rng: np.random.Generator) -> Tensor:
        """(n, 2, 3) affine matrices for `torch.nn.functional.affine_grid`."""
        angle, scale, dx, dy = rng.uniform(-1, 1, (4, n))
        angle, scale = angle * math.radians(self.rotate), 1 + scale * self.scale
        cos, sin = np.cos(angle) / scale, np.sin(angle) / scale
        rows = [[cos, -sin, 2 * self.shift * dx], [sin, cos, 2 * self.shift * dy]]  # the frame is 2 wide
        return torch.from_numpy(np.array(rows, np.float32).transpose(2, 0, 1).copy())


class MemoryDataset(Dataset):
    """A small data set, all of it in memory.

    Args:
        images: (n, C, h, w) float32, values 0..1.
        labels: (n,) integers from 0.
        splits: indices by split name; disjoint.
        augmentation: for training and views.
        views: distorted copies of each validation image, where there are few images.
    """

    def __init__(
        self,
        name: str,
        images: NDArray[np.float32],
        labels: Indices,
        splits: Mapping[str, Indices],
        augmentation: Augmentation,
        views: int = 0,
    ) -> None:
        self.name, self.augmentation, self.views = name, augmentation, views
        self.class_names = tuple(str(i) for i in range(int(labels.max()) + 1))
        self.in_channels = images.shape[1]
        self._images = {s: torch.from_numpy(images[i]) for s, i in splits.items()}
        self._labels = {s: torch.from_numpy(labels[i].astype(np.int64)) for s, i in splits.items()}
        train = images[splits["train"]].astype(np.float64)
        self.mean = tuple(round(float(x), 4) for x in train.mean((0, 2, 3)))
        self.std = tuple(round(float(x), 4) for x in train.std((0, 2, 3)))

    def with_channels(self, channels: int) -> Dataset:
        """Grey images in so many equal channels."""
        if self.in_channels != 1 or channels != 3:
            return super().with_channels(channels)
        colour = copy.copy(self)
        colour._images = {split: images.expand(-1, 3, -1, -1) for split, images in self._images.items()}
        colour.in_channels, colour.mean, colour.std = 3, self.mean * 3, self.std * 3
        return colour

    def labels(self, split: str) -> Tensor:
        """(n,) int64 labels of a split."""
        if split not in self._labels:
            raise self._unknown(split)
        return self._labels[split]

    def keys(self, split: str) -> Keys:
        """(n,) a number of each image, by the pixels of its first channel."""
        return keys_of(image.tobytes() for image in self._images[split][:, 0].numpy())

    def batch(self, split: str, indices: Indices, resolution: int, augment: np.random.Generator | None = None) -> Batch:
        """Images (n, C, r, r), resized bilinearly (antialiased), and labels (n,)."""
        labels = self.labels(split)[indices]
        images, size = self._images[split][indices], (resolution, resolution)
        if augment is None:
            images = F.interpolate(images, size, mode="bilinear", antialias=True, align_corners=False)
        else:
            matrices = self.augmentation.matrices(len(images), augment)
            grid = F.affine_grid(matrices, [len(images), self.in_channels, *size], align_corners=False)
            images = F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
        mean, std = (torch.tensor(v).view(1, -1, 1, 1) for v in (self.mean, self.std))
        return (images - mean) / std, labels
