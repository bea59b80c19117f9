"""Oxford 102 Flowers: 1,020 images each for training and validation, 6,149 for test, as published.

Source: Nilsback and Zisserman 2008.
"""

from __future__ import annotations

from hwnas.data.dataset import Dataset
from hwnas.data.published import Published, with_own_splits
from hwnas.data.reference import Reference

CLASSES = 102
_FLOWERS = Published("Flowers102", "flowers-102", "jpg/image_00001.jpg …, imagelabels.mat, setid.mat")


def load_flowers102(reference: Reference) -> Dataset:
    """By 102 classes; older torchvision does not know their names, there they are numbers."""
    from torchvision.datasets import Flowers102

    files = [Flowers102._file_dict[key] for key in ("label", "setid")]
    classes = getattr(Flowers102, "classes", None) or [str(i) for i in range(CLASSES)]
    return with_own_splits(_FLOWERS, reference, Flowers102, files, classes)
