"""Pictures for a network of ImageNet's classes: for BatchNorm's statistics, and for its top-1 if they are sorted.

    DIR/anything/…/image      pictures alone
    DIR/CLASS/…/image         labelled: CLASS is ImageNet's name of it ("tabby"), its number from 0, or, where all 1,000
                              are there, its WordNet id ("n02123045")

Of labelled ones up to `STATISTICS`, at most half, are the split "train", the others "val".
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwnas.data.colour import PHOTOS
from hwnas.data.damaged import open_files
from hwnas.data.dataset import Dataset
from hwnas.data.imagenet import CLASSES, imagenet_names
from hwnas.data.listing import Folder, Listing
from hwnas.data.reference import Reference, folder_reference
from hwnas.data.splits import stratified_order
from profilers.errors import BadInput

STATISTICS = 512  # images for BatchNorm, as elsewhere
FEWEST = 16
_WORDNET = re.compile(r"n\d{8}")


def load_unsplit(reference: Reference) -> Dataset:
    """Labelled pictures as a data set; BadInput if their folders are not ImageNet's classes."""
    files = _files(reference)
    labels = _labels(files)
    if labels is None:
        got = f"the folders in {reference.folder} are not ImageNet's classes"
        raise BadInput(got, 'names such as "tabby", numbers from 0, or all 1,000 WordNet ids')
    listing, order = Listing(files, labels), stratified_order(labels)
    count = min(STATISTICS, len(files) // 2)
    listings = {"train": listing.keep(np.sort(order[:count])), "val": listing.keep(np.sort(order[count:]))}
    return open_files(reference, reference.folder, listings, imagenet_names(), PHOTOS)


def open_unsplit(folder: Path) -> tuple[Dataset, bool]:
    """The pictures of a folder as a data set, and whether they are labelled; else "train" is its only split.

    Raises:
        BadInput: no folder, too few pictures, damaged ones, or a data set with splits.
    """
    reference = folder_reference(folder)
    files = _files(reference)
    if _labels(files) is not None:
        return load_unsplit(reference), True
    listing = Listing(files, np.zeros(len(files), np.int64))
    return open_files(reference, reference.folder, {"train": listing}, imagenet_names(), PHOTOS), False


def _files(reference: Reference) -> list[str]:
    folder, root = Folder.of(reference), reference.folder
    if not root.is_dir():
        raise reference.missing("a folder of pictures")
    if (root / "train").is_dir() and (root / "val").is_dir():
        raise BadInput(f"{root} has train and val, as a data set", "a folder of pictures", f"--dataset imagenet:{root}")
    files = folder.images()
    folder.passed.say(root)
    if len(files) < FEWEST:
        raise BadInput(f"{len(files)} pictures in {root}", f"{FEWEST} or more, some hundred are good")
    return files


def _labels(files: Sequence[str]) -> NDArray[np.int64] | None:
    """(n,) ImageNet's number of each picture's folder; None unless all are in such folders."""
    folders = [Path(name).parts[0] if len(Path(name).parts) > 1 else "" for name in files]
    known = _numbers(set(folders))
    return None if known is None else np.array([known[name] for name in folders], np.int64)


def _numbers(folders: set[str]) -> dict[str, int] | None:
    if len(folders) == CLASSES and all(_WORDNET.fullmatch(name) for name in folders):
        return {name: i for i, name in enumerate(sorted(folders))}  # ImageNet's order is that of the ids
    exact = {name: i for i, name in enumerate(imagenet_names())}
    plain = Counter(map(_plain, exact))  # "Cardigan" is a dog and "cardigan" is knitted
    alike = {_plain(name): i for name, i in exact.items() if plain[_plain(name)] == 1}
    found = {n: int(n) if n.isdecimal() else exact.get(n, alike.get(_plain(n), -1)) for n in folders}
    return found if all(0 <= i < CLASSES for i in found.values()) else None


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", " ", name).strip().lower()
