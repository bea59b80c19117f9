"""Shares of n independent cases: Wilson's 95 % interval.

    p = share   z = 1.96
    low, high   (p + z²/2n ∓ z sqrt(p (1 - p) / n + z²/4n²)) / (1 + z²/n)

Source: Wilson (1927).
"""

from __future__ import annotations

from math import sqrt

Z = 1.959963984540054  # 95 %, two-sided


def wilson(percent: float, n: int) -> tuple[float, float]:
    """(low, high) in percent of a share in percent of n independent cases, as top-1 over n images."""
    p = percent / 100
    middle, half = p + Z**2 / (2 * n), Z * sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))
    low, high = ((middle + sign * half) / (1 + Z**2 / n) for sign in (-1, 1))
    return 100 * max(low, 0.0), 100 * min(high, 1.0)
