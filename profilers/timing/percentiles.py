"""Percentiles of the latency of single runs, as far as so many runs tell them: MLPerf's early-stopping rule.

    p  share of runs that a percentile is to hold for      q  runs      t  runs that take longer ("overlatency")
    c = 0.99  how sure one is to be      d = 0  tolerance

A system that is quick enough only in a share p - d of its runs shows at most t slow ones among q = h + t with
probability I(p - d; h, t + 1), the regularised incomplete beta function. The largest t of which that is at most 1 - c
is found; where it is below 1 there are too few runs. The t - 1 slowest runs are discarded, and the slowest of the rest
is reported: with confidence c a share p of runs is at least as quick. The rule takes runs to be independent.
Source: MLCommons inference policies, inference_rules.adoc, appendix "Early Stopping Criterion", the algorithm for the
single-stream and multi-stream scenarios (commit ac93e89c).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

CONFIDENCE, TOLERANCE = 0.99, 0.0
SHARES = {"p90": 0.9, "p99": 0.99}
_MOST_NEEDED = 10_000  # runs within which the fewest for a percentile are looked for


class Percentile(NamedTuple):
    """A bound on a percentile: `ms` is None where `runs` are fewer than the `needed` ones."""

    ms: float | None
    runs: int
    needed: int


def percentiles(runs: Sequence[float] | NDArray[np.float64]) -> dict[str, Percentile]:
    """Those of `SHARES`, from milliseconds of single runs in any order.

    >>> percentiles([1.0] * 63 + [2.0])["p90"], percentiles([1.0])["p90"].ms
    (Percentile(ms=2.0, runs=64, needed=64), None)
    """
    return {
        name: Percentile(early_stopping_estimate(runs, share), len(runs), fewest_runs(share))
        for name, share in SHARES.items()
    }


def early_stopping_estimate(runs: Sequence[float] | NDArray[np.float64], share: float) -> float | None:
    """Milliseconds; None with too few runs."""
    most = most_overlatency(len(runs), share)
    return float(np.sort(runs)[len(runs) - most]) if most >= 1 else None


def most_overlatency(runs: int, share: float) -> int:
    """t: how many of so many runs may be slow; 0 or -1 where nothing can be said."""
    from scipy.special import betainc

    t = np.arange(runs)
    passes = betainc(runs - t, t + 1, share - TOLERANCE) <= 1 - CONFIDENCE
    return int(passes.sum()) - 1  # the probability rises with t


@cache
def fewest_runs(share: float) -> int:
    """The fewest with which a percentile can be reported: those of which one may be slow."""
    from scipy.special import betainc

    runs = np.arange(2, _MOST_NEEDED)
    return int(runs[np.argmax(betainc(runs - 1, 2, share - TOLERANCE) <= 1 - CONFIDENCE)])
