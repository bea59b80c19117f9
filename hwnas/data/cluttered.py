"""Cluttered digits: each of scikit-learn's digits anywhere in a larger frame, over pieces of other digits.

Harder than the digits alone, which any small network reads, and made of real images that are there without a
download. In validation and test, place and pieces follow from the image; in training they are drawn.
Source: Mnih et al. 2014, "Recurrent Models of Visual Attention", section 4.1 (cluttered translated MNIST).
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from hwnas.data.dataset import Batch, Dataset, Indices
from hwnas.data.memory import Augmentation, MemoryDataset, read_digits
from hwnas.data.reference import Reference

FRAME = 12  # pixels of a side; a digit has 8
PIECES = 2  # of other digits in each frame
PIECE = 4  # pixels of a piece's side
Images = NDArray[np.float32]


def load_cluttered_digits(reference: Reference) -> Dataset:
    """The digits with their splits, in frames of 12 x 12 pixels."""
    name = "cluttered-digits"
    images, labels, splits = read_digits(reference, name)
    return ClutteredDataset(name, images, labels, splits, Augmentation(), views=2)


class ClutteredDataset(MemoryDataset):
    """Small images, each in a cluttered frame; the arguments are those of `MemoryDataset`."""

    def batch(self, split: str, indices: Indices, resolution: int, augment: np.random.Generator | None = None) -> Batch:
        """Images (n, C, r, r), resized bilinearly (antialiased), and labels (n,)."""
        digits = self._images[split].numpy()
        rngs = [augment or np.random.default_rng(key) for key in self.keys(split)[indices]]
        made = [frame(digits[i], digits, rng) for i, rng in zip(indices, rngs, strict=True)]
        frames = torch.from_numpy(np.stack(made))
        images = F.interpolate(frames, (resolution,) * 2, mode="bilinear", antialias=True, align_corners=False)
        mean, std = (torch.tensor(v).view(1, -1, 1, 1) for v in (self.mean, self.std))
        return (images - mean) / std, self.labels(split)[indices]


def frame(digit: Images, others: Images, rng: np.random.Generator) -> Images:
    """(C, FRAME, FRAME) values 0..1: `digit` (C, h, w) at a random place over pieces of `others` (n, C, h, w)."""
    made = np.zeros((len(digit), FRAME, FRAME), np.float32)
    for _ in range(PIECES):
        other = others[rng.integers(len(others))]
        y, x = (rng.integers(0, size - PIECE + 1) for size in other.shape[1:])
        _paste(made, other[:, y : y + PIECE, x : x + PIECE], rng)
    _paste(made, digit, rng)
    return made


def _paste(made: Images, image: Images, rng: np.random.Generator) -> None:
    """At a random place; where both have ink, the darker is seen."""
    h, w = image.shape[1:]
    y, x = rng.integers(0, FRAME - h + 1), rng.integers(0, FRAME - w + 1)
    place = made[:, y : y + h, x : x + w]
    np.maximum(place, image, out=place)
