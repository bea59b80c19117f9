"""Whether a network has learnt more than to name the commonest class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from profilers.proportions import wilson

REMEDY = "more steps, a smaller or larger lr, init = FILE of trained weights, or a smaller space"


def guessing(top1: float, labels: NDArray[np.int64]) -> str:
    """A line where top-1 (%) on images of these labels (n,) is no better than guessing; "" where it is.

    Guessing is naming the commonest class always; better is what Wilson's 95 % interval lies above.
    """
    chance = 100 * float(np.bincount(labels).max()) / len(labels)
    low, high = wilson(top1, len(labels))
    if low > chance:
        return ""
    return (
        f"no better than guessing: top-1 {top1:.1f} % ({low:.1f} to {high:.1f}) on {len(labels)} validation images, "
        f"of which the commonest class has {chance:.1f} %; {REMEDY}"
    )
