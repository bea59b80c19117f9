"""Describable Textures: 1,880 images each for training, validation and test (the first of ten partitions), 47 classes.

Source: Cimpoi et al. 2014.
"""

from __future__ import annotations

from hwnas.data.check import open_files
from hwnas.data.dataset import Dataset
from hwnas.data.images import PHOTOS
from hwnas.data.published import Published, same_classes
from hwnas.data_reference import Reference

_DTD = Published("DTD", "dtd/dtd", "images/CLASS/, labels/train1.txt, labels/val1.txt, labels/test1.txt")


def load_dtd(reference: Reference) -> Dataset:
    """By texture."""
    from torchvision.datasets import DTD

    root = reference.folder
    names = ("train", "val", "test")
    opened = _DTD.open(root, lambda: [DTD(root, split=s) for s in names])
    classes = same_classes([x.classes for x in opened], root)
    listings = {s: _DTD.listing(x._image_files, x._labels, root) for s, x in zip(names, opened, strict=True)}
    return open_files(reference, root, listings, classes, PHOTOS)
