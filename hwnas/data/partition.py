"""Splits that are made here: each class in proportion, groups kept together, the same for the same images anywhere.

labels (n,) class of each image      groups (n,) images of one group go into one split
order  the images are taken in the order of a digest of seed and group, the largest groups first, and each goes where
       its classes are furthest behind their shares
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from hwnas.data.splits import SEED

SHARES = {"train": 3, "val": 1, "test": 1}  # of five images of a class
_ALL = -1  # no class
_TIES = ("val", "test", "train")  # which comes first where a group fits equally well


def partition(labels: Sequence[int], groups: Sequence[str], shares: Mapping[str, int] = SHARES) -> list[str]:
    """The split of each image.

    Args:
        labels: (n,) classes.
        groups: (n,) names.
        shares: of the splits, as whole numbers.
    """
    members = defaultdict(list)
    for i, group in enumerate(groups):
        members[group].append(i)
    order = sorted(members, key=lambda group: (-len(members[group]), _digest(group)))
    behind = _Shares(_counts(labels), {split: shares[split] for split in _TIES if split in shares})
    found = [""] * len(labels)
    for group in order:
        split = behind.place(_counts([labels[i] for i in members[group]]))
        for i in members[group]:
            found[i] = split
    return found


def _counts(labels: Sequence[int]) -> dict[int, int]:
    """Images of each class, and all of them, which are to be in proportion too."""
    return {**Counter(labels), _ALL: len(labels)}


def joined(groups: Sequence[str], contents: Sequence[str]) -> list[str]:
    """Groups (n,) of which those that share an image by its content are one."""
    first: dict[str, str] = {}  # the group that a group is part of
    owner: dict[str, str] = {}
    for group, content in sorted(zip(groups, contents, strict=True)):
        one, other = _root(first, group), _root(first, owner.setdefault(content, group))
        first[max(one, other)] = min(one, other)
    return [_root(first, group) for group in groups]


def _root(first: dict[str, str], group: str) -> str:
    while (above := first.setdefault(group, group)) != group:
        first[group] = first.setdefault(above, above)
        group = above
    return group


class _Shares:
    """How many images of each class every split has, and should have."""

    def __init__(self, classes: Mapping[int, int], shares: Mapping[str, int]) -> None:
        self.classes, self.shares, self.all = classes, shares, sum(shares.values())
        self.has: dict[tuple[str, int], int] = defaultdict(int)

    def place(self, counts: Mapping[int, int]) -> str:
        """The split that a group with so many images of each class goes to."""
        split = min(self.shares, key=lambda name: self._excess(name, counts))
        for label, count in counts.items():
            self.has[split, label] += count
        return split

    def _excess(self, split: str, counts: Mapping[int, int]) -> float:
        """By how much the squared distance from the shares grows, each class relative to its share."""
        total = 0.0
        for label, count in counts.items():
            share = self.shares[split] * self.classes[label] / self.all
            total += count * (2 * (self.has[split, label] - share) + count) / share
        return round(total, 9)


def _digest(group: str) -> bytes:
    return hashlib.blake2b(f"{SEED} {group}".encode(errors="surrogateescape"), digest_size=16).digest()
