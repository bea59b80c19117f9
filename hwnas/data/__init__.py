"""Data sets by name. A new one is a file with a function that makes a `Dataset`, and one line here.

    name          folder as torchvision lays it out                 validation images
    digits        built in                                          400, seeded
    imagenet      train/, val/ by WordNet id                        10,000 of the training images, seeded
    cifar10, 100  cifar-10-batches-py/, cifar-100-python/           5,000 of the training images, seeded
    stl10, pets   stl10_binary/, oxford-iiit-pet/                   a fifth of the training images, seeded
    flowers102    flowers-102/                                      its own
    dtd           dtd/dtd/ (its first partition)                    its own
    aircraft      fgvc-aircraft-2013b/ (its 100 variants)           its own
    cinic10       train/, valid/, test/ by class                    its own
    folder        train/, val/, test/ by class; the user's own      its own, or a fifth of the training images, seeded
    images        folders of ImageNet's classes, no splits          all but 512 (at most half), seeded

Test images are those of the data set's own test part only (ImageNet's is its `val`). Seeded choices take each class in
proportion. Nothing is downloaded.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hwnas.data.reference import Reference, parse_reference
from hwnas.settings import nearest
from profilers.errors import BadInput

if TYPE_CHECKING:
    from hwnas.data.dataset import SPLITS, Augmentation, BatchRequest, Dataset, MemoryDataset

DATASETS = {
    "digits": "digits:load_digits", "imagenet": "imagenet:load_imagenet", "cifar10": "cifar:load_cifar10",
    "cifar100": "cifar:load_cifar100", "stl10": "stl10:load_stl10", "flowers102": "flowers102:load_flowers102",
    "pets": "pets:load_pets", "dtd": "dtd:load_dtd", "aircraft": "aircraft:load_aircraft",
    "cinic10": "folder:load_cinic10", "folder": "folder:load_folder",
    "images": "pictures:load_pictures",
}  # fmt: skip


def get_dataset(reference: str) -> Dataset:
    """The data set of a reference (see `hwnas.data.reference`), as in "digits" or "cifar10:/data/cifar".

    Raises:
        BadInput: an unknown name or option, a folder that is missing or laid out otherwise, damaged images.
        FileProblem: a file that cannot be read.
    """
    found = parse_reference(reference)
    if found.name not in DATASETS:
        near = nearest(found.name, list(DATASETS))
        raise BadInput(f"unknown data set {found.name!r}", ", ".join(DATASETS), near)
    module, _, name = DATASETS[found.name].partition(":")
    make: Callable[[Reference], Dataset] = getattr(importlib.import_module(f"hwnas.data.{module}"), name)
    return make(found.located())


_LAZY = ("SPLITS", "Augmentation", "BatchRequest", "Dataset", "MemoryDataset")


def __getattr__(name: str) -> Any:
    """What needs torch is loaded when it is asked for: a search reads references to data sets without it."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("hwnas.data.dataset"), name)


__all__ = ["DATASETS", "SPLITS", "Augmentation", "BatchRequest", "Dataset", "MemoryDataset", "get_dataset"]
