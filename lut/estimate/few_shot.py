"""A latency table from a few networks measured end to end, for devices that give no per-layer times.

    n  networks      F  physical features (`lut.estimate.kernels.FEATURES` and a constant)
    X (n, F)  features summed over a network's layers      y (n,)  measured, ms      w (F,)  ms a unit, none negative

Non-negative least squares of X w = y with rows weighted by 1 / y, so that relative errors count. On GPUs few networks
are enough (docs/measurement.md). The interval comes from leave-one-out residuals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lut.estimate.correction import fit_interval
from lut.estimate.kernels import FEATURES, features
from lut.protocols import Floats, Layer, Space
from lut.table.entry import Entry
from lut.table.table import LatencyTable, SpaceId
from profilers.base import STEADY, Options
from profilers.constraints import LEAST_MS, MOST_MS
from profilers.errors import BadInput

METHOD = "few-shot"
LEAST_NETWORKS = 5
_LEAST_MS = 1e-9


def fit(
    space: Space,
    archs: Sequence[Any],
    measured_ms: Sequence[float],
    batch: int,
    device: str,
    state: str = STEADY,
    estimator: str = "",
) -> LatencyTable:
    """The table of `space` that explains the measurements, status "fitted".

    Args:
        space: at whose resolutions.
        archs: architectures of the space (any resolution of it).
        measured_ms: one positive time each.
        batch: images a run that they were measured with.
        device: its name.
        state: of the caches, in which they were measured.
        estimator: what each time is of the runs, as the measurement says; "" where it does not.

    Raises:
        BadInput: fewer than 5 networks, or a time that is not a positive number.
    """
    y = np.array(measured_ms, float)
    if len(y) < LEAST_NETWORKS or len(y) != len(archs):
        raise BadInput(f"{len(y)} measured networks", f"{LEAST_NETWORKS} or more; 20 are usually enough")
    if not ((y >= LEAST_MS) & (y <= MOST_MS)).all():
        raise BadInput("a latency that is not a positive number", f"{LEAST_MS:g} to {MOST_MS:g} milliseconds")
    x = features_of(space, archs, batch)
    weights, left_out = _solve(x, y), _leave_one_out(x, y)
    error = left_out / y - 1
    interval = fit_interval(left_out, y, parameters=1 + int(np.count_nonzero(weights)), source="leave-one-out")
    return LatencyTable(
        SpaceId.of(space),
        _entries(space, weights, batch, float(np.sqrt(np.mean(error**2)))),
        "fitted",
        METHOD,
        device,
        Options(batch=batch, state=state),
        interval=interval,
        provenance={"estimator": estimator, **_provenance(weights, error, y)},
        observations={"networks": [{"arch": a.to_json(), "ms": ms} for a, ms in zip(archs, y.tolist(), strict=True)]},
    )


def features_of(space: Space, archs: Sequence[Any], batch: int) -> Floats:
    """(n, F) features summed over each network's layers, and 1 for the network itself."""
    walked = [space.layers(arch) for arch in archs]
    by_key = _features({layer.key: layer for layers in walked for layer in layers}, batch)
    return np.array([sum(by_key[layer.key] for layer in layers) for layers in walked])


def _features(layers: Mapping[str, Layer], batch: int) -> dict[str, Floats]:
    """(F,) by key; the constant belongs to the classifier, which every network has once."""
    return {k: np.append(features(x, batch), float(x.kind == "linear")) for k, x in layers.items()}


def _solve(x: Floats, y: Floats) -> Floats:
    from scipy.optimize import nnls

    rows = x / y[:, None]
    scale = np.abs(rows).max(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    weights: Floats = nnls(rows / scale, np.ones(len(y)))[0] / scale
    return weights


def _leave_one_out(x: Floats, y: Floats) -> Floats:
    """(n,) what each network is predicted to take by the others."""
    rest = ~np.eye(len(y), dtype=bool)
    return np.array([x[i] @ _solve(x[keep], y[keep]) for i, keep in enumerate(rest)])


def _entries(space: Space, weights: Floats, batch: int, error: float) -> dict[str, Entry]:
    by_key = _features({layer.key: layer for layer in space.all_layers()}, batch)
    times = {key: max(float(f @ weights), _LEAST_MS) for key, f in by_key.items()}
    return {key: Entry(ms, ms * error, 1) for key, ms in times.items()}


def _provenance(weights: Floats, error: Floats, y: Floats) -> dict[str, Any]:
    return {
        "networks": len(y),
        "weights": dict(zip((*FEATURES, "network"), weights.tolist(), strict=True)),
        "cross_validated": {"mape": float(np.mean(np.abs(error))), "within_5": float(np.mean(np.abs(error) <= 0.05))},
    }
