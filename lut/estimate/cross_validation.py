"""What a table would have predicted for networks that it did not see: the ground for calibration and interval.

    g  groups of networks, as they were timed together      y (n,) measured, ms, the machine's drift divided out
    s (n,) sums for each network, by a table made without its group      p (n,) the same, calibrated on other groups

Grouped cross-validation: whole groups are left out, not single networks, because what a group shares (how its control
models were loaded, the state of the machine at that time) is as new to a user's network as the network itself.
Source: cross-conformal prediction, Vovk 2015; Barber et al. 2021, predictive inference with the jackknife+.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from lut.estimate.correction import Calibration, Interval, fit_calibration, fit_interval
from lut.estimate.networks import Networks
from lut.protocols import Floats
from lut.table.entry import Entry

FOLDS = 8  # of whole groups, where there are more: each is a reconciliation, a second with hundreds of networks
MIN_IMPROVEMENT = 0.97  # a calibration must bring the error on unseen groups to this share, or it is noise
# Relative standard deviation of a network's latency between sessions: that of the machine's speed between the groups of
# the build, and at least this, since groups that agree say nothing of another day (docs/measurement.md).
BETWEEN_SESSION_SD = 0.01
Reconcile = Callable[[Sequence[int]], Mapping[str, Entry]]


def sums_by(entries: Mapping[str, Entry], networks: Networks) -> Floats:
    """(n,) sums of the layers' milliseconds."""
    return np.array([sum(entries[k].ms for k in keys) for keys in networks.keys])


def held_out_sums(networks: Networks, reconcile: Reconcile) -> Floats:
    """(n,) s: `reconcile` gives the entries from the networks of these indices, those of the other folds of groups."""
    sums = np.zeros(len(networks))
    fold = np.unique(networks.group, return_inverse=True)[1] % FOLDS
    for number in np.unique(fold):
        mine = fold == number
        sums[mine] = sums_by(reconcile(np.flatnonzero(~mine).tolist()), networks)[mine]
    return sums


def correct(
    networks: Networks, sums: Floats, common: float = 0.0, *, speed: float = 0.0, calibrate: bool = True
) -> tuple[Calibration | None, Interval | None]:
    """The calibration, kept where it helps groups that it did not see, and the interval by such predictions.

    Args:
        networks: measured end to end.
        sums: (n,) held-out sums.
        common: relative standard error of the speed to which all y were brought.
        speed: relative standard deviation of the machine's speed between groups, which a user's measurement has too.
        calibrate: False where the sums are reconciled with networks already, which says the same better.
    """
    calibrated = np.zeros(len(sums))
    for group in np.unique(networks.group):
        mine = networks.group == group
        fitted = _calibrate(networks, sums, ~mine) if calibrate else None
        calibrated[mine] = sums[mine] if fitted is None else _apply(fitted, networks, sums)[mine]
    everyone = _calibrate(networks, sums, np.ones(len(sums), bool)) if calibrate else None
    if everyone is None or _error(calibrated, networks.ms) > MIN_IMPROVEMENT * _error(sums, networks.ms):
        return None, _interval(networks, sums, common, speed)
    return everyone, _interval(networks, calibrated, common, speed)


def _interval(networks: Networks, predicted: Floats, common: float, speed: float) -> Interval | None:
    return fit_interval(predicted, networks.ms, common=common, between_session=max(BETWEEN_SESSION_SD, speed))


def _calibrate(networks: Networks, sums: Floats, which: NDArray[np.bool_]) -> Calibration | None:
    return fit_calibration(sums[which], networks.slots[which], networks.pixels[which], networks.ms[which])


def _apply(calibration: Calibration, networks: Networks, sums: Floats) -> Floats:
    return calibration.apply(sums, networks.slots, networks.pixels)


def _error(predicted: Floats, measured: Floats) -> float:
    return float(np.sqrt(np.mean((measured / predicted - 1) ** 2)))
