"""What a table knows of one layer."""

from __future__ import annotations

from typing import NamedTuple

from profilers.constraints import Count, Latency, Milliseconds


class Entry(NamedTuple):
    """One layer: milliseconds, their standard error, and the number of observations behind them."""

    ms: Latency
    se: Milliseconds
    n: Count
