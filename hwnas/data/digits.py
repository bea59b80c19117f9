"""scikit-learn's digits: 1,797 grey images of 8 x 8 pixels, ten classes.

Split by a fixed seed, each class in proportion: 400 test, 400 validation, 997 training images.
Source: UCI, "Optical Recognition of Handwritten Digits" (its test part), as scikit-learn ships it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwnas.data.dataset import Augmentation, Dataset, MemoryDataset

HELD_OUT = 400  # images each for validation and test
SEED = 2020


def load_digits() -> Dataset:
    """The data set; values 0..16 become 0..1."""
    from sklearn.datasets import load_digits as load

    raw = load()
    images = (raw.images[:, None] / 16).astype(np.float32)  # (1797, 1, 8, 8)
    order = _stratified_order(raw.target)
    splits = {"test": order[:HELD_OUT], "val": order[HELD_OUT : 2 * HELD_OUT], "train": order[2 * HELD_OUT :]}
    return MemoryDataset("digits", images, raw.target, splits, Augmentation(rotate=10, scale=0.1, shift=0.08), views=4)


def _stratified_order(labels: NDArray[np.integer]) -> NDArray[np.int64]:
    """A random order of which every run of consecutive images has the classes in nearly their overall proportions."""
    rng = np.random.default_rng(SEED)
    place = np.empty(len(labels))
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        place[rng.permutation(members)] = (np.arange(len(members)) + rng.random()) / len(members)
    return np.argsort(place, kind="stable")
