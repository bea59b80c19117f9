"""Describable Textures: 1,880 images each for training, validation and test (the first of ten partitions), 47 classes.

Source: Cimpoi et al. 2014.
"""

from __future__ import annotations

from hwnas.data.dataset import Dataset
from hwnas.data.published import Published, with_own_splits
from hwnas.data.reference import Reference

_DTD = Published("DTD", "dtd/dtd", "images/CLASS/, labels/train1.txt, labels/val1.txt, labels/test1.txt")


def load_dtd(reference: Reference) -> Dataset:
    """By texture."""
    from torchvision.datasets import DTD

    return with_own_splits(_DTD, reference, DTD)
