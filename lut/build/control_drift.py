"""The machine's drift between units of work, from sentinels: fixed networks that are timed in every unit.

    u  units      a  sentinels      x (u, a)  log of a sentinel's time over its usual one
    d (u,)  mean of x over the sentinels      v  variance of d that is only noise
    q  low quantile of the d that noise does not explain: the machine in its quick units

One sentinel is as noisy as what it is to correct, and each loading of a model lies differently in memory (0.5 to 1 %),
so several are loaded afresh for every group of whole networks, and the drift that they show is shrunk by the share that
noise explains. Beside a cover stands one only: what a cover has wrong as a whole is found otherwise
(`lut.estimate.reconcile`).

Speed counts from q, as each unit's own times count from its quick moments (`profilers.timing.drift`): others on the
same core only add time.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lut.protocols import Floats

Known = NDArray[np.bool_]
Times = Sequence[Sequence[float]]  # by unit and sentinel, ms; 0 where one could not be timed
QUICK = 0.1  # quantile of the units that counts as no drift


def drifts(sentinels: Times, reference: Sequence[float] | None = None) -> Floats:
    """(u,) how much slower the machine was in each unit than in quick ones, or than `reference`; 1 where unknown."""
    own, common, noise = _parts(sentinels, usual_times(sentinels) if reference is None else np.array(reference, float))
    since = -np.quantile(own, QUICK) if reference is None else _shrink(common, noise / len(own), 1)
    return np.asarray(np.exp(own + since))


def reference_times(sentinels: Times) -> Floats:
    """(a,) of each at the speed at which `drifts` is 1; 0 where one was never timed."""
    usual = usual_times(sentinels)
    return np.asarray(usual * np.exp(np.quantile(_parts(sentinels, usual)[0], QUICK)))


def usual_times(sentinels: Times) -> Floats:
    """(a,) the geometric mean of each over the units, 0 where one was never timed."""
    columns = np.array(sentinels, float).T
    return np.array([float(np.exp(np.log(c[c > 0]).mean())) if (c > 0).any() else 0.0 for c in columns])


def speed_spread(sentinels: Times) -> float:
    """Relative standard deviation of the machine's speed between units, as far as noise does not explain it."""
    if len(sentinels) < 2:
        return 0.0
    return float(_parts(sentinels, usual_times(sentinels))[0].std(ddof=1))


def usual_error(sentinels: Times) -> float:
    """Relative standard error of the usual speed that the sentinels stand for."""
    own, _, noise = _parts(sentinels, usual_times(sentinels))
    return float(np.sqrt(noise / len(own)))


def _parts(sentinels: Times, usual: Floats) -> tuple[Floats, Floats, float]:
    """(u,) what noise does not explain of d around its mean, that mean (1,), and v."""
    x, known, d = _logs(sentinels, usual)
    noise, common = _noise(x, known, d), d.mean(keepdims=True)
    return _shrink(d - common, noise, len(d) - 1), common, noise


def _logs(sentinels: Times, usual: Floats) -> tuple[Floats, Known, Floats]:
    """The x (0 where a sentinel could not be timed), which are known, and d."""
    times = np.array(sentinels, float)
    known = (times > 0) & (usual > 0)
    x = np.log(np.where(known, times, 1.0) / np.where(known, np.broadcast_to(usual, times.shape), 1.0))
    return x, known, x.sum(axis=1) / np.maximum(known.sum(axis=1), 1)


def _noise(x: Floats, known: Known, d: Floats) -> float:
    """v: from how much the sentinels of one unit disagree."""
    degrees = int(known.sum()) - len(d)
    if degrees <= 0:
        return 0.0
    scatter = float((np.where(known, x - d[:, None], 0.0) ** 2).sum()) / degrees
    return scatter * len(d) / int(known.sum())


def _shrink(values: Floats, noise: float, degrees: int) -> Floats:
    """`values` times the share of their variance that noise does not explain (positive-part James-Stein)."""
    signal = float((values**2).sum()) / max(degrees, 1)
    shrunk: Floats = values * max(0.0, 1.0 - noise / signal) if signal > 0 else values
    return shrunk
