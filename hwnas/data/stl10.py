"""STL-10: 5,000 labelled training images of 96 x 96 pixels, of which a fifth is held out; 8,000 test images.

Source: Coates, Ng and Lee 2011. Its 100,000 unlabelled images are not used.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hwnas.data.dataset import Dataset
from hwnas.data.images import CIFAR, ArrayDataset
from hwnas.data.published import Published
from hwnas.data.reference import Reference
from hwnas.data.splits import hold_out

_STL10 = Published("STL10", "stl10_binary", "train_X.bin, train_y.bin, test_X.bin, test_y.bin, unlabeled_X.bin")
_PREPARATION = replace(CIFAR, mean=(0.4467, 0.4398, 0.4066), std=(0.2603, 0.2566, 0.2713))


def load_stl10(reference: Reference) -> Dataset:
    """The labelled part, by ten classes."""
    from torchvision.datasets import STL10

    root = reference.folder
    files = [*STL10.train_list, *STL10.test_list]
    train, test = _STL10.open(root, lambda: [STL10(root, split=s) for s in ("train", "test")], files)
    parts = dict(zip(("train", "val"), hold_out(train.labels), strict=True))
    images = {split: train.data[indices] for split, indices in parts.items()} | {"test": test.data}
    labels = {split: train.labels[indices] for split, indices in parts.items()} | {"test": test.labels}
    names = getattr(train, "classes", None) or [str(i) for i in range(int(np.max(train.labels)) + 1)]
    return ArrayDataset(reference, images, labels, names, _PREPARATION)
