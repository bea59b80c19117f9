"""FGVC Aircraft: 3,334 training, 3,333 validation and 3,333 test images of 100 variants, as published.

Source: Maji et al. 2013.
"""

from __future__ import annotations

from hwnas.data.check import open_files
from hwnas.data.dataset import Dataset
from hwnas.data.images import PHOTOS
from hwnas.data.published import Published, same_classes
from hwnas.data_reference import Reference

_HOLDS = "data/images/, data/variants.txt, data/images_variant_train.txt, …_val.txt, …_test.txt"
_AIRCRAFT = Published("FGVCAircraft", "fgvc-aircraft-2013b", _HOLDS)


def load_aircraft(reference: Reference) -> Dataset:
    """By variant, as in "Boeing 737-700"."""
    from torchvision.datasets import FGVCAircraft

    root = reference.folder
    names = ("train", "val", "test")
    opened = _AIRCRAFT.open(root, lambda: [FGVCAircraft(root, split=s) for s in names])
    classes = same_classes([x.classes for x in opened], root)
    listings = {s: _AIRCRAFT.listing(x._image_files, x._labels, root) for s, x in zip(names, opened, strict=True)}
    return open_files(reference, root, listings, classes, PHOTOS)
