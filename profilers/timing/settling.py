"""How many runs a model needs until its data is back in the caches, learnt where models take turns.

    k  runs since another model ran, from 0      t_i(k)  milliseconds of model i's run k      t_i  those once settled
    excess_i(k) = t_i(k) - t_i = A exp(-k / T)   A in ms and T in runs depend on the machine and its background load

The excess is memory traffic that depends little on the model, so small models pay relatively most. It is observed in
the first turns of a measurement; A and T are fitted to its medians over models and turns. A model then runs untimed
until its excess is below `SETTLED` of its time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RUNS = 16  # observed a turn
TURNS = 4  # observed of each model
WANTED = 48  # turns observed, of all models together
SETTLED = 0.01  # of a model's time
LEAST, MOST = 1, 20  # untimed runs
_PERIODS = (0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)  # T
_LAST = RUNS // 3  # runs at the end of a turn that count as settled


class Settling:
    """Collects turns and gives the number of untimed runs; one object for a whole measurement."""

    def __init__(self) -> None:
        self.excess: list[Floats] = []
        self.found: tuple[float, float] | None = None

    @property
    def known(self) -> bool:
        """Whether enough turns were observed."""
        return len(self.excess) >= WANTED

    def observe(self, times: Sequence[float]) -> None:
        """(RUNS,) milliseconds of consecutive runs of one model, the first right after another model's."""
        turn = np.array(times, float)
        self.excess.append(turn - np.median(turn[-_LAST:]))
        self.found = None

    def untimed(self, ms: float) -> int:
        """Runs until a model that takes `ms` milliseconds is settled."""
        if not self.excess:
            return LEAST
        if self.found is None:
            self.found = fit(np.array(self.excess))
        size, period = self.found
        if not ms > 0 or size <= SETTLED * ms:
            return LEAST
        return int(np.clip(math.ceil(period * math.log(size / (SETTLED * ms))), LEAST, MOST))


def fit(excess: Floats) -> tuple[float, float]:
    """A and T of (turns, RUNS) excesses, by least squares on their medians; A is 0 where there is no excess."""
    seen = np.median(excess, axis=0)
    runs = np.arange(excess.shape[1])
    best = (math.inf, 0.0, _PERIODS[0])
    for period in _PERIODS:
        shape = np.exp(-runs / period)
        size = max(float(shape @ seen / (shape @ shape)), 0.0)
        best = min(best, (float(((seen - size * shape) ** 2).sum()), size, period))
    return best[1], best[2]
