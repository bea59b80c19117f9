"""CIFAR-10 and CIFAR-100: 50,000 training images of 32 x 32 pixels, of which 5,000 are held out; 10,000 test images.

Their files are Python pickles. torchvision unpickles them, and only after their MD5 digests are those published.
Source: Krizhevsky 2009; the split is NSGANetV2's, section 4.3.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.data.dataset import Dataset
from hwnas.data.images import CIFAR, ArrayDataset, Preparation
from hwnas.data.published import Published
from hwnas.data.reference import Reference
from hwnas.data.splits import hold_out

HELD_OUT = 5000

_TEN = Published("CIFAR10", "cifar-10-batches-py", "data_batch_1 … data_batch_5, test_batch, batches.meta")
_HUNDRED = Published("CIFAR100", "cifar-100-python", "train, test, meta")


def load_cifar10(reference: Reference) -> Dataset:
    """CIFAR-10."""
    return _load(reference, _TEN, CIFAR)


def load_cifar100(reference: Reference) -> Dataset:
    """CIFAR-100, by its 100 fine classes."""
    return _load(
        reference.located(), _HUNDRED, replace(CIFAR, mean=(0.5071, 0.4865, 0.4409), std=(0.2673, 0.2564, 0.2762))
    )


def _load(reference: Reference, published: Published, preparation: Preparation) -> Dataset:
    from torchvision import datasets

    make, root = getattr(datasets, published.torchvision), reference.folder
    files = [*make.train_list, *make.test_list, (make.meta["filename"], make.meta["md5"])]
    train, test = published.open(root, lambda: [make(root, train=t) for t in (True, False)], files)
    labels = np.array(train.targets)
    parts = dict(zip(("train", "val"), hold_out(labels, HELD_OUT), strict=True))
    images = {split: _planes(train.data[indices]) for split, indices in parts.items()} | {"test": _planes(test.data)}
    targets = {split: labels[indices] for split, indices in parts.items()} | {"test": np.array(test.targets)}
    return ArrayDataset(reference, images, targets, train.classes, preparation)


def _planes(images: NDArray[np.uint8]) -> NDArray[Any]:
    """(n, 3, 32, 32) of (n, 32, 32, 3)."""
    return images.transpose(0, 3, 1, 2)
