"""Scrambled Sobol points, to the bit those of `scipy.stats.qmc.Sobol`: all of scipy.stats takes a second to import.

    d, n  dimensions, points        direction numbers (d, BITS): column k is added where bit k of the Gray code is 1

The points are scrambled by a random lower triangular matrix of bits (LMS) and a random shift.
Source: S. Joe and F. Y. Kuo, Constructing Sobol sequences with better two-dimensional projections, 2008.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BITS = 30
# Of each dimension: the bits of its primitive polynomial, and the first direction numbers
_DIMENSIONS = (
    (1, (1,)), (3, (1,)), (7, (1, 3)), (11, (1, 3, 1)), (13, (1, 1, 1)), (19, (1, 1, 3, 3)), (25, (1, 3, 5, 13)),
    (37, (1, 1, 5, 5, 17)), (41, (1, 1, 5, 5, 5)), (47, (1, 1, 7, 11, 19)), (55, (1, 1, 5, 1, 1)),
    (59, (1, 1, 1, 3, 11)), (61, (1, 3, 5, 5, 31)), (67, (1, 3, 3, 9, 7, 49)), (91, (1, 1, 1, 15, 21, 21)),
    (97, (1, 3, 1, 13, 27, 49)),
)  # fmt: skip
MOST = len(_DIMENSIONS)


def sobol(d: int, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """The first (n, d) points; those of more than `MOST` dimensions are SciPy's."""
    if d > MOST:
        return _by_scipy(d, n, rng)
    rng = rng.spawn(1)[0]
    shift = rng.integers(2, size=(d, BITS), dtype=np.uint32) @ (1 << np.arange(BITS))
    scramble = np.tril(rng.integers(2, size=(d, BITS, BITS), dtype=np.uint32), -1) + np.eye(BITS, dtype=np.uint32)
    index = np.arange(n)[:, None]
    gray, points = index ^ (index >> 1), np.broadcast_to(shift, (n, d))
    for k, column in enumerate(_scrambled(_directions(d), scramble).T[: n.bit_length()]):
        points = points ^ np.where(gray >> k & 1, column, 0)
    return points * 0.5**BITS


def _by_scipy(d: int, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    from scipy.stats import qmc

    points: NDArray[np.float64] = qmc.Sobol(d, rng=rng).random(n)
    if not np.ptp(points, axis=0).all():  # SciPy goes on without its tables where they find no room
        raise MemoryError("a Sobol sequence")
    return points


def _directions(d: int) -> NDArray[np.int64]:
    found = np.zeros((d, BITS), np.int64)
    for row, (polynomial, first) in zip(found, _DIMENSIONS[:d], strict=True):
        degree = polynomial.bit_length() - 1
        row[: len(first)] = first
        row[len(first) :] = 1  # of the first dimension, whose polynomial has degree 0
        for j in range(degree, BITS if degree else 0):
            row[j] = row[j - degree]
            for k in range(1, degree + 1):
                row[j] ^= (row[j - k] << k) * (polynomial >> (degree - k) & 1)
    found <<= np.arange(BITS)[::-1]
    return found


def _scrambled(directions: NDArray[np.int64], scramble: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Each number's bits, the highest first, multiplied by the matrix of its dimension."""
    place = np.arange(BITS)[::-1]
    bits = directions[:, None] >> place[:, None] & 1  # (d, bit, number)
    found: NDArray[np.int64] = (scramble.astype(np.int64) @ bits & 1).transpose(0, 2, 1) @ (1 << place)
    return found
