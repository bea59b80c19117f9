"""Images that are there twice, by the digest of their files' content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

from hwnas.data.facts import Facts
from hwnas.data.listing import Listing


class Shared(NamedTuple):
    """Images of the split `second` that are in `first` too, and one of them by its names in both."""

    first: str
    second: str
    images: int
    example: tuple[str, str]


def within(listings: Mapping[str, Listing], facts: Facts) -> dict[str, int]:
    """How many images of each split are there already, in the same split."""
    digests = {split: _digests(listing.files, facts) for split, listing in listings.items()}
    counts = {
        split: sum(name in facts and bool(facts[name].digest) for name in x.files) for split, x in listings.items()
    }
    return {split: counts[split] - len(digests[split]) for split in listings}


def across(listings: Mapping[str, Listing], facts: Facts) -> list[Shared]:
    """What any two splits share."""
    digests = {split: _digests(listing.files, facts) for split, listing in listings.items()}
    found = []
    for first, second in combinations(listings, 2):
        twice = [name for name in listings[second].files if name in facts and facts[name].digest in digests[first]]
        if twice:
            example = (digests[first][facts[twice[0]].digest], twice[0])
            found.append(Shared(first, second, len(twice), example))
    return found


def warning(shared: Sequence[Shared]) -> str:
    """One line on what splits share, or "" where they share nothing."""
    if not shared:
        return ""
    counts = ", ".join(f"{found.images:,} of {found.second} in {found.first}" for found in shared)
    one, other = shared[0].example
    return (
        f"warning: the same images are in two splits: {counts} ({other} is {one}): accuracy will look better than it is"
    )


def _digests(files: Sequence[str], facts: Facts) -> dict[str, str]:
    """The first file of each content."""
    found: dict[str, str] = {}
    for name in files:
        if name in facts and facts[name].digest:
            found.setdefault(facts[name].digest, name)
    return found
