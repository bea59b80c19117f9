"""Damaged images: found before training begins, named, and refused or left out as the reference says.

Every image is looked at once (`hwnas.data.facts`). Data sets of more than `CHECKED_AHEAD` images are checked ahead only
where damaged ones are to be skipped, because the number of images must be known; otherwise a damaged one is an error
when it is met.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from hwnas.data.colour import FileDataset, Preparation
from hwnas.data.facts import Facts, facts_of
from hwnas.data.listing import Listing
from hwnas.data.names import plural
from hwnas.data.reference import Reference
from profilers.errors import BadInput
from profilers.progress import say

CHECKED_AHEAD = 50_000
_SHOWN = 5  # damaged images that are named in one line


def open_files(
    reference: Reference,
    root: Path,
    listings: Mapping[str, Listing],
    class_names: Sequence[str],
    preparation: Preparation,
    facts: Facts | None = None,
) -> FileDataset:
    """The data set without its damaged images, or BadInput that names them, as `reference.damaged` says.

    Args:
        reference: of the data set.
        root: its folder.
        listings: its images by split.
        class_names: in the order of the labels.
        preparation: of the images.
        facts: `known_facts` of them, where they were asked for already.
    """
    facts = known_facts(reference, root, listings) if facts is None else facts
    damaged = {name: fact.damage for name, fact in facts.items() if fact.damage}
    if damaged and reference.damaged == "fail":
        skip = replace(reference, damaged="skip")
        raise BadInput(_sentence(root, damaged), "intact images", f'remove them, or dataset = "{skip}"')
    if damaged:
        listings = {s: _without(listing, damaged, s, reference, class_names) for s, listing in listings.items()}
        used = sum(len(listing.files) for listing in listings.values())
        say(f"hwnas: {_sentence(root, damaged)}; left out, {used} are used")
    return FileDataset(reference, root, listings, class_names, preparation, damaged)


def known_facts(reference: Reference, root: Path, listings: Mapping[str, Listing]) -> Facts:
    """Of every image, unless there are too many to look at ahead."""
    files = [name for listing in listings.values() for name in listing.files]
    if reference.damaged == "fail" and len(files) > CHECKED_AHEAD:
        return {}
    return facts_of(root, files, reference.white or None, f"looking at the images of {reference.name}")


def _sentence(root: Path, damaged: Mapping[str, str]) -> str:
    named = ", ".join(f"{name} ({why})" for name, why in list(damaged.items())[:_SHOWN])
    more = ", …" if len(damaged) > _SHOWN else ""
    return f"{plural(len(damaged), 'damaged image')} in {root}: {named}{more}"


def _without(
    listing: Listing, damaged: Mapping[str, str], split: str, reference: Reference, class_names: Sequence[str]
) -> Listing:
    kept = listing.keep(np.array([i for i, name in enumerate(listing.files) if name not in damaged], np.int64))
    lost = np.setdiff1d(listing.labels, kept.labels)
    if len(lost) and (split == "train" or reference.name != "folder" or not kept.files):
        raise BadInput(f"every {split} image of class {class_names[lost[0]]} is damaged", "an intact one")
    return kept
