"""From per-node times of traced runs to what each node takes of an untraced one.

    m  traced runs      N  nodes      times (m, N)  milliseconds of each node in each run

Which nodes these are is the runtime's matter (`Session.node_details`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from profilers.base import Samples

Floats = NDArray[np.float64]
LEAST_SHARE = 0.5  # of a node's time that is left when the cost of tracing is taken from it


def typical(runs: Sequence[Mapping[str, float]], traced: Samples | None = None) -> dict[str, float]:
    """Milliseconds by node, of those that are in every run.

    A node's time is the mean of the lower half of its runs: contention only adds time, and a mean evens out a clock of
    whole microseconds. With the samples of the session that was `traced`, whose blocks were the last runs, the nodes'
    sum is that where the machine's level is 1; without, that of the nodes' times.
    """
    names = [n for n in dict.fromkeys(name for run in runs for name in run) if all(n in run for run in runs)]
    if not names:
        return {}
    times = np.array([[run[name] for name in names] for run in runs])
    nodes = np.sort(times, axis=0)[: (len(times) + 1) // 2].mean(axis=0)
    if traced:
        nodes *= _sum_ms(times.sum(axis=1), traced) / nodes.sum()
    return dict(zip(names, nodes.tolist(), strict=True))


def _sum_ms(sums: Floats, traced: Samples) -> float:
    """The nodes' sum in timed runs, the drift divided out, from the sums of all runs (m,), warm-up first."""
    block = traced.untimed + traced.timed
    blocks = sums[-traced.rounds * block :].reshape(traced.rounds, block)[:, traced.untimed :]
    good = np.isfinite(traced.blocks)
    return float(np.median(blocks[good].mean(axis=1) / traced.drift[good]))


def fit_to(nodes: Floats, total: float) -> Floats:
    """`nodes` (N,) brought to the sum `total`: an even amount less each, or all of them stretched.

    Tracing costs about the same at every node, so what the traced sum has more than the untraced time is taken from the
    nodes evenly; what it has less is added in proportion.
    """
    low, high = 0.0, float(nodes.max())
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if _less(nodes, middle).sum() > total else (low, middle)
    fitted = _less(nodes, high)
    scale = total / float(fitted.sum())
    return fitted * scale


def _less(nodes: Floats, amount: float) -> Floats:
    return np.maximum(nodes - amount, LEAST_SHARE * nodes)
