"""What a recipe leaves out, chosen by the time that there is and by how many images there are."""

from __future__ import annotations

from math import ceil

FEWEST, MOST = 24, 340  # evaluations of a search; the paper's are 340
INITIAL = 0.4  # of all evaluations; the paper's 100 of 350 is less, but few iterations teach a surrogate little
JUDGED = 600  # validation images and distorted copies, below which most networks are tied
COPIES = 4  # at most of each image


def counts(evaluations: float, per_iteration: int) -> tuple[int, int]:
    """Initial networks and iterations of about so many evaluations."""
    total = min(max(evaluations, FEWEST), MOST)
    initial = max(8, round(INITIAL * total))
    return initial, max(1, round((total - initial) / per_iteration))


def views(images: int) -> int:
    """Distorted copies of each of so many validation images that are judged beside it."""
    return min(COPIES, max(0, ceil(JUDGED / max(images, 1)) - 1))
