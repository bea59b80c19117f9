"""Images: labelled data sets by name, their splits, and how an image file becomes a network's input.

Training and validation are in `hwnas.train`; what is done to a calibrated or quantised network is not here.
A new data set of torchvision's is a row of `torchvision_sets.SETS`; any other is a function that makes a `Dataset`.
Either has one line here.

    name          folder as torchvision lays it out                 validation images
    digits        built in (cluttered-digits: harder)               400, seeded
    imagenet      train/, val/ by WordNet id                        10,000 of the training images, seeded
    cifar10, 100  cifar-10-batches-py/, cifar-100-python/           5,000 of the training images, seeded
    stl10, pets   stl10_binary/, oxford-iiit-pet/                   a fifth of the training images, seeded
    flowers102    flowers-102/                                      its own
    dtd           dtd/dtd/ (its first partition)                    its own
    aircraft      fgvc-aircraft-2013b/ (its 100 variants)           its own
    cinic10       train/, valid/, test/ by class                    its own
    folder        the user's own: splits in folders, in lists,      its own, or a fifth of the training images, seeded
                  or none (see `layout`)
    images        folders of ImageNet's classes, no splits          all but 512 (at most half), seeded

Test images are those of the data set's own test part only (ImageNet's is its `val`). Seeded choices take each class in
proportion. Nothing is downloaded.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hwnas.data.reference import Reference, parse_reference
from profilers.errors import BadInput, nearest, shown

if TYPE_CHECKING:
    from hwnas.data.dataset import SPLITS, BatchRequest, Dataset
    from hwnas.data.memory import Augmentation, MemoryDataset

BUILT_IN = ("digits", "cluttered-digits")  # without a folder
DATASETS = {
    "digits": "memory:load_digits",
    "cluttered-digits": "cluttered:load_cluttered_digits",
    "imagenet": "imagenet:load_imagenet",
    "cifar10": "torchvision_sets:load_torchvision",
    "cifar100": "torchvision_sets:load_torchvision",
    "stl10": "torchvision_sets:load_torchvision",
    "flowers102": "torchvision_sets:load_torchvision",
    "pets": "torchvision_sets:load_torchvision",
    "dtd": "torchvision_sets:load_torchvision",
    "aircraft": "torchvision_sets:load_torchvision",
    "cinic10": "folder:load_cinic10",
    "folder": "folder:load_folder",
    "images": "unsplit:load_unsplit",
}


def get_dataset(reference: str) -> Dataset:
    """The data set of a reference (see `hwnas.data.reference`), as in "digits" or "cifar10:/data/cifar".

    Raises:
        BadInput: an unknown name or option, a folder that is missing or laid out otherwise, damaged images.
        FileProblem: a file that cannot be read.
    """
    found = _known(reference)
    module, _, name = DATASETS[found.name].partition(":")
    make: Callable[[Reference], Dataset] = getattr(importlib.import_module(f"hwnas.data.{module}"), name)
    return make(found.located())


def check_dataset(reference: str) -> None:
    """What `get_dataset` says before it looks at images; quick.

    Raises:
        BadInput: an unknown name or option, or a folder that is missing.
    """
    found = _known(reference).located()
    if found.name not in BUILT_IN and not found.folder.is_dir():
        raise found.missing(f"{found.name}:DIR of a folder that is there")


def _known(reference: str) -> Reference:
    found = parse_reference(reference)
    if found.name not in DATASETS:
        near = nearest(found.name, list(DATASETS))
        raise BadInput(f"unknown data set {shown(found.name)}", ", ".join(DATASETS), near)
    return found


_LAZY = dict.fromkeys(("SPLITS", "BatchRequest", "Dataset"), "dataset")
_LAZY |= dict.fromkeys(("Augmentation", "MemoryDataset"), "memory")


def __getattr__(name: str) -> Any:
    """What needs torch is loaded when it is asked for: a search reads references to data sets without it."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)


__all__ = [
    "BUILT_IN",
    "DATASETS",
    "SPLITS",
    "Augmentation",
    "BatchRequest",
    "Dataset",
    "MemoryDataset",
    "check_dataset",
    "get_dataset",
]
