"""Oxford-IIIT Pets: 3,680 training images, of which a fifth is held out, and 3,669 test images, of 37 breeds.

Source: Parkhi et al. 2012.
"""

from __future__ import annotations

from hwnas.data.check import open_files
from hwnas.data.dataset import Dataset
from hwnas.data.images import PHOTOS
from hwnas.data.published import Published, same_classes
from hwnas.data.reference import Reference
from hwnas.data.splits import hold_out

_PETS = Published("OxfordIIITPet", "oxford-iiit-pet", "images/, annotations/trainval.txt, annotations/test.txt")


def load_pets(reference: Reference) -> Dataset:
    """By breed."""
    from torchvision.datasets import OxfordIIITPet

    root = reference.folder
    train, test = _PETS.open(root, lambda: [OxfordIIITPet(root, split=s) for s in ("trainval", "test")])
    classes = same_classes([train.classes, test.classes], root)
    whole = _PETS.listing(train._images, train._labels, root)
    stays, held = hold_out(whole.labels)
    listings = {"train": whole.keep(stays), "val": whole.keep(held)}
    listings["test"] = _PETS.listing(test._images, test._labels, root)
    return open_files(reference, root, listings, classes, PHOTOS)
