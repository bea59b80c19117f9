"""The user's own images, however they lie in a folder; and CINIC-10, a folder a split and in it a folder a class."""

from __future__ import annotations

from dataclasses import replace

from hwnas.data.colour import CIFAR, PHOTOS
from hwnas.data.damaged import known_facts, open_files
from hwnas.data.dataset import SPLITS, Dataset
from hwnas.data.duplicates import across, warning
from hwnas.data.layout import find_layout, missing_classes
from hwnas.data.listing import Folder, check_root, list_split
from hwnas.data.reference import Reference
from profilers.errors import BadInput
from profilers.progress import say

# Statistics: Darlow et al. 2018, "CINIC-10 is not ImageNet or CIFAR-10", its repository's README
CINIC = replace(CIFAR, mean=(0.4789, 0.4723, 0.4305), std=(0.2421, 0.2383, 0.2587))


def load_folder(reference: Reference) -> Dataset:
    """The user's own: splits in folders, in a list, or none; see `hwnas.data.layout`.

    Raises:
        BadInput: another layout, classes that train lacks, empty ones, damaged images.
    """
    layout, root = find_layout(reference), reference.folder
    layout.passed.say(root)
    facts = known_facts(reference, root, layout.listings)
    dataset = open_files(reference, root, layout.listings, layout.class_names, PHOTOS, facts)
    shared = across(layout.listings, facts)
    labels = {split: dataset.labels(split).tolist() for split in dataset.splits}
    for line in filter(None, (*layout.notes, *missing_classes(labels, layout.class_names), warning(shared))):
        say(f"hwnas: {line}")
    return dataset


def load_cinic10(reference: Reference) -> Dataset:
    """CINIC-10: 90,000 images each in train/, valid/ and test/."""
    folder = Folder.of(reference)
    check_root(folder, reference)
    for split in ("valid", "test"):
        if not (folder.root / split).is_dir():
            raise BadInput(f"no folder {split} in {folder.root}", "train, valid and test, as CINIC-10 is published")
    classes = folder.classes("train")
    places = dict(zip(SPLITS, ("train", "valid", "test"), strict=True))
    listings = {split: list_split(folder, place, classes) for split, place in places.items()}
    folder.passed.say(folder.root)
    return open_files(reference, folder.root, listings, list(classes), CINIC)
