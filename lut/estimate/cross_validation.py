"""What a table would have predicted for networks that it did not see: the ground for calibration and interval.

    g  groups of whole networks, as they were timed together      y (n,) measured, ms, the machine's drift divided out
    s (n,) sums for each network, by a table made without its group      p (n,) the same, calibrated on other groups

Whole groups are left out, not single networks, because what a group shares (how its sentinels lay in memory, a minute
of the machine's mood) is as new to a user's network as the network itself.
Source: cross-conformal prediction, Vovk 2015; Barber et al. 2021, predictive inference with the jackknife+.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lut.estimate.correction import Calibration, Interval, fit_calibration, fit_interval
from lut.protocols import Floats
from lut.table.entry import Entry

Ints = NDArray[np.int64]
FOLDS = 8  # of whole groups, where there are more: each is a reconciliation, a second with hundreds of networks
WORTH = 0.97  # a calibration must bring the error on unseen groups to this share, or it is noise
# What the minutes of a build do not show of the next ones, relative: the machine's speed, beyond what it varied during
# the build, and its state, to which not all networks are equally sensitive; and what a later measurement's own rounds
# add, as a share of the variance that those of the build's networks have: there are more of them.
ELSEWHEN = 0.01
LATER_ROUNDS = 0.25
Reconcile = Callable[[Sequence[int]], Mapping[str, Entry]]


@dataclass(frozen=True)
class Networks:
    """Whole networks, each (n,): keys of the layers, filled slots and resolution (for the calibration), group, y.

    `sampling` is the relative standard error of each y by its own rounds.
    """

    keys: Sequence[Sequence[str]]
    slots: Ints
    pixels: Ints
    group: Ints
    ms: Floats
    sampling: Floats


def sums_by(entries: Mapping[str, Entry], networks: Networks) -> Floats:
    """(n,) sums of the layers' milliseconds."""
    return np.array([sum(entries[k].ms for k in keys) for keys in networks.keys])


def held_out_sums(networks: Networks, reconcile: Reconcile) -> Floats:
    """(n,) s: `reconcile` gives the entries from the networks of these indices, those of the other folds of groups."""
    sums = np.zeros(len(networks.ms))
    fold = np.unique(networks.group, return_inverse=True)[1] % FOLDS
    for number in np.unique(fold):
        mine = fold == number
        sums[mine] = sums_by(reconcile(np.flatnonzero(~mine).tolist()), networks)[mine]
    return sums


def correct(
    networks: Networks, sums: Floats, shared: float = 0.0, *, speed: float = 0.0, calibrate: bool = True
) -> tuple[Calibration | None, Interval | None]:
    """The calibration, kept where it helps groups that it did not see, and the interval by such predictions.

    Args:
        networks: whole networks, measured.
        sums: (n,) held-out sums.
        shared: relative standard error of the speed to which all y were brought.
        speed: relative standard deviation of the machine's speed between groups, which a user's measurement has too.
        calibrate: False where the sums are reconciled with networks already, which says the same better.
    """
    calibrated = np.zeros(len(sums))
    for group in np.unique(networks.group):
        mine = networks.group == group
        fitted = _calibrate(networks, sums, ~mine) if calibrate else None
        calibrated[mine] = sums[mine] if fitted is None else _apply(fitted, networks, sums)[mine]
    everyone = _calibrate(networks, sums, np.ones(len(sums), bool)) if calibrate else None
    if everyone is None or _error(calibrated, networks.ms) > WORTH * _error(sums, networks.ms):
        return None, _interval(networks, sums, shared, speed)
    return everyone, _interval(networks, calibrated, shared, speed)


def _interval(networks: Networks, predicted: Floats, shared: float, speed: float) -> Interval | None:
    sampling = float(np.sqrt((1 - LATER_ROUNDS) * np.mean(networks.sampling**2)))
    elsewhen = float(np.hypot(ELSEWHEN, speed))
    return fit_interval(predicted, networks.ms, shared=shared, sampling=sampling, elsewhen=elsewhen)


def _calibrate(networks: Networks, sums: Floats, which: NDArray[np.bool_]) -> Calibration | None:
    return fit_calibration(sums[which], networks.slots[which], networks.pixels[which], networks.ms[which])


def _apply(calibration: Calibration, networks: Networks, sums: Floats) -> Floats:
    return calibration.apply(sums, networks.slots, networks.pixels)


def _error(predicted: Floats, measured: Floats) -> float:
    return float(np.sqrt(np.mean((measured / predicted - 1) ** 2)))
