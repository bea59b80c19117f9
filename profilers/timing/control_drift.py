"""The machine's drift between groups of models, from control models: fixed ones that are timed in every group.

    g  groups      a  control models      x (g, a)  log of a control's time over its usual one
    d (g,)  mean of x over the controls      v  variance of d that is only noise
    q  low quantile of the d that noise does not explain: the machine in its quick groups

One control is as noisy as what it corrects, since every loading of a model differs a little, so several are loaded
afresh for every group, and the drift that they show is shrunk by the share that noise explains.

Drift counts from q, as each group's own times count from its quick moments (`profilers.timing.drift`): other work on
the same core only adds time.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Known = NDArray[np.bool_]
Times = Sequence[Sequence[float]]  # by group and control, ms; 0 where one could not be timed
FAST_GROUPS = 0.1  # quantile of the groups that counts as no drift


def drifts(controls: Times, reference: Sequence[float] | None = None) -> Floats:
    """(g,) how much slower the machine was in each group than in quick ones, or than `reference`; 1 where unknown."""
    own, common, noise = _parts(controls, usual_times(controls) if reference is None else np.array(reference, float))
    since = -np.quantile(own, FAST_GROUPS) if reference is None else _shrink(common, noise / len(own), 1)
    return np.asarray(np.exp(own + since))


def reference_times(controls: Times) -> Floats:
    """(a,) of each at the speed at which `drifts` is 1; 0 where one was never timed."""
    usual = usual_times(controls)
    return np.asarray(usual * np.exp(np.quantile(_parts(controls, usual)[0], FAST_GROUPS)))


def usual_times(controls: Times) -> Floats:
    """(a,) the geometric mean of each over the groups, 0 where one was never timed."""
    columns = np.array(controls, float).T
    return np.array([float(np.exp(np.log(c[c > 0]).mean())) if (c > 0).any() else 0.0 for c in columns])


def speed_spread(controls: Times) -> float:
    """Relative standard deviation of the machine's speed between groups, as far as noise does not explain it."""
    if len(controls) < 2:
        return 0.0
    return float(_parts(controls, usual_times(controls))[0].std(ddof=1))


def usual_error(controls: Times) -> float:
    """Relative standard error of the usual speed that the controls stand for."""
    own, _, noise = _parts(controls, usual_times(controls))
    return float(np.sqrt(noise / len(own)))


def _parts(controls: Times, usual: Floats) -> tuple[Floats, Floats, float]:
    """(g,) what noise does not explain of d around its mean, that mean (1,), and v."""
    x, known, d = _logs(controls, usual)
    noise, common = _noise(x, known, d), d.mean(keepdims=True)
    return _shrink(d - common, noise, len(d) - 1), common, noise


def _logs(controls: Times, usual: Floats) -> tuple[Floats, Known, Floats]:
    """The x (0 where a control could not be timed), which are known, and d."""
    times = np.array(controls, float)
    known = (times > 0) & (usual > 0)
    x = np.log(np.where(known, times, 1.0) / np.where(known, np.broadcast_to(usual, times.shape), 1.0))
    return x, known, x.sum(axis=1) / np.maximum(known.sum(axis=1), 1)


def _noise(x: Floats, known: Known, d: Floats) -> float:
    """v: from how much the controls of one group disagree."""
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
