"""Which images are held out, and which are taken as a sample: each class in proportion, the same in every run.

labels (n,) class of each image      keys (n,) uint64, a number of each image itself, wherever it is listed
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

SEED = 2020
FRACTION = 0.2  # of each class, where a data set has no validation split of its own

Labels = NDArray[np.integer[Any]]
Order = NDArray[np.int64]
Keys = NDArray[np.uint64]


def stratified_order(labels: Labels) -> Order:
    """A random order of which every run of consecutive images has the classes in nearly their overall proportions."""
    rng = np.random.default_rng(SEED)
    place = np.empty(len(labels))
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        place[rng.permutation(members)] = (np.arange(len(members)) + rng.random()) / len(members)
    return np.argsort(place, kind="stable")


def keyed_order(labels: Labels, keys: Keys) -> Order:
    """As `stratified_order`, but by the images' keys: where an image is listed changes nothing."""
    place = np.empty(len(labels))
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        start = float(np.bitwise_xor.reduce(keys[members])) / 2**64
        place[members[np.argsort(keys[members])]] = (np.arange(len(members)) + start) / len(members)
    return np.lexsort((keys, place))


def keys_of(contents: Iterable[bytes]) -> Keys:
    """A key of each, evenly spread."""
    digests = (hashlib.blake2b(content, digest_size=8).digest() for content in contents)
    return np.frombuffer(b"".join(digests), np.uint64)


def hold_out(labels: Labels, count: int | None = None) -> tuple[Order, Order]:
    """Ascending indices that stay for training, and those that are held out.

    Args:
        labels: (n,) class of each image.
        count: how many are held out, as nearly in proportion as they can be. Without it, or where that is more than
            `FRACTION` (a part of the published data), `FRACTION` of each class, rounded, but one image stays and,
            where there are two, one is held out.
    """
    if count is not None and count <= FRACTION * len(labels):
        held = stratified_order(labels)[:count]
    else:
        rng = np.random.default_rng(SEED)
        members = [rng.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)]
        held = np.concatenate([m[: min(max(1, round(FRACTION * len(m))), len(m) - 1)] for m in members])
    stays = np.setdiff1d(np.arange(len(labels)), held)
    return stays, np.sort(held)
