"""Damaged images: found before training begins, named, and refused or left out as the reference says.

Every image of a data set is decoded once and the result kept in the cache, so that an unchanged data set is not
checked again. Data sets of more than `CHECKED_AHEAD` images are checked ahead only where damaged ones are to be
skipped, because the number of images must be known; otherwise a damaged one is an error when it is met.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import PIL
from PIL import Image

from hwnas.data import picture
from hwnas.data.colour import FileDataset, Preparation
from hwnas.data.decode import REDUCTIONS, Damaged, read_image
from hwnas.data.listing import Listing
from hwnas.data.reference import Reference
from hwnas.data.threads import in_threads
from hwnas.fetch.cache import cache_folder
from profilers.errors import BadInput, HwnasError
from profilers.files import read_bytes, read_json, sha256, write_json
from profilers.progress import track

CHECKED_AHEAD = 50_000
_SHOWN = 5  # damaged images that are named in one line


def open_files(
    reference: Reference,
    root: Path,
    listings: Mapping[str, Listing],
    class_names: Sequence[str],
    preparation: Preparation,
    non_images: Mapping[str, str] | None = None,
) -> FileDataset:
    """The data set without its damaged images, or BadInput that names them, as `reference.damaged` says.

    Args:
        reference: of the data set.
        root: its folder.
        listings: its images by split.
        class_names: in the order of the labels.
        preparation: of the images.
        non_images: files that are damaged for sure, and why.
    """
    damaged = dict(non_images or {})
    files = [name for listing in listings.values() for name in listing.files]
    if reference.damaged == "skip" or len(files) <= CHECKED_AHEAD:
        damaged |= find_damaged(reference, root, files)
    if damaged and reference.damaged == "fail":
        skip = replace(reference, damaged="skip")
        raise BadInput(_sentence(root, damaged), "intact images", f'remove them, or dataset = "{skip}"')
    if damaged:
        listings = {split: _without(listing, damaged, split, class_names) for split, listing in listings.items()}
        used = sum(len(listing.files) for listing in listings.values())
        print(f"hwnas: {_sentence(root, damaged)}; left out, {used} are used", file=sys.stderr)
    return FileDataset(reference, root, listings, class_names, preparation, damaged)


def _sentence(root: Path, damaged: Mapping[str, str]) -> str:
    named = ", ".join(f"{name} ({why})" for name, why in list(damaged.items())[:_SHOWN])
    more = ", …" if len(damaged) > _SHOWN else ""
    return f"{len(damaged)} damaged image{'s' * (len(damaged) > 1)} in {root}: {named}{more}"


def _without(listing: Listing, damaged: Mapping[str, str], split: str, class_names: Sequence[str]) -> Listing:
    kept = listing.keep(np.array([i for i, name in enumerate(listing.files) if name not in damaged], np.int64))
    lost = np.setdiff1d(listing.labels, kept.labels)
    if len(lost):
        raise BadInput(f"every {split} image of class {class_names[lost[0]]} is damaged", "an intact one")
    return kept


def find_damaged(reference: Reference, root: Path, files: Sequence[str]) -> dict[str, str]:
    """Damaged files of a data set in `root`, and what is wrong with each."""
    white = reference.white or None
    path = cache_folder() / "checked" / f"{_state(root, files, white)}.json"
    with suppress(HwnasError):
        known = read_json(path)
        if isinstance(known, dict) and known.keys() <= set(files):
            return {str(k): str(v) for k, v in known.items()}
    found = {}
    with track(len(files), f"checking the images of {reference.name}") as bar:
        for file, reason in zip(files, in_threads(partial(_look, white), (root / f for f in files)), strict=True):
            if reason:
                found[file] = reason
            bar.advance()
    with suppress(HwnasError):  # a cache that cannot be written costs another check
        write_json(path, found)
    return found


def _look(white: float | None, path: Path) -> str:
    """What is wrong with an image, "" if nothing is."""
    try:
        read_image(path, lambda _: REDUCTIONS[0], white)
    except Damaged as error:
        return str(error)
    return ""


def _state(root: Path, files: Sequence[str], white: float | None) -> str:
    """A digest of names, sizes, times of change, and of what decodes them."""
    decoder = f"{PIL.__version__} {Image.MAX_IMAGE_PIXELS} {sha256(read_bytes(Path(picture.__file__)))} {white}"
    digest = hashlib.sha256(f"{decoder} {root}\n".encode(errors="surrogateescape"))
    for name in files:
        path = root / name
        facts = (path.stat().st_size, path.stat().st_mtime_ns) if path.exists() else None
        digest.update(f"{name}\0{facts}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()
