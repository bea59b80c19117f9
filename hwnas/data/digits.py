"""scikit-learn's digits: 1,797 grey images of 8 x 8 pixels, ten classes.

Split by a fixed seed, each class in proportion: 400 test, 400 validation, 997 training images.
Source: UCI, "Optical Recognition of Handwritten Digits" (its test part), as scikit-learn ships it.
"""

from __future__ import annotations

import numpy as np

from hwnas.data.dataset import Augmentation, Dataset, MemoryDataset
from hwnas.data.reference import Reference
from hwnas.data.splits import stratified_order
from profilers.errors import BadInput

HELD_OUT = 400  # images each for validation and test


def load_digits(reference: Reference) -> Dataset:
    """The data set; values 0..16 become 0..1."""
    from sklearn.datasets import load_digits as load

    if reference != Reference("digits"):
        raise BadInput(f"data set {reference}", "digits: it is built in and takes neither folder nor options")
    raw = load()
    images = (raw.images[:, None] / 16).astype(np.float32)  # (1797, 1, 8, 8)
    order = stratified_order(raw.target)
    splits = {"test": order[:HELD_OUT], "val": order[HELD_OUT : 2 * HELD_OUT], "train": order[2 * HELD_OUT :]}
    return MemoryDataset("digits", images, raw.target, splits, Augmentation(rotate=10, scale=0.1, shift=0.08), views=4)
