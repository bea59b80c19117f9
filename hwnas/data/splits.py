"""Held-out images: chosen by a fixed seed, each class in proportion, so that every run holds out the same ones."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

SEED = 2020
FRACTION = 0.2  # of each class, where a data set has no validation split of its own

Labels = NDArray[np.integer[Any]]
Order = NDArray[np.int64]


def stratified_order(labels: Labels) -> Order:
    """A random order of which every run of consecutive images has the classes in nearly their overall proportions."""
    rng = np.random.default_rng(SEED)
    place = np.empty(len(labels))
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        place[rng.permutation(members)] = (np.arange(len(members)) + rng.random()) / len(members)
    return np.argsort(place, kind="stable")


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
