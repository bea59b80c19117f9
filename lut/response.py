"""How differently layers feel the state of the machine, by covers that were timed in different states.

    u  covers      f (u,) drift of each      t (u, g)  mean log milliseconds of a group's layers, over the drift
    t = a + b s + c s^2 + rho log f          s  log of the layers' size: covers differ in resolution as well

A neighbour on the core slows what computes more than what moves data. Three tables of a Xeon with AMX, OpenVINO in
bf16: beside one, a MobileNetV3 took 1.65 times as long, and where the sentinel would take twice as long the first
stages take 1.6 to 1.7 times, the last 2.0 to 2.2. With only the common factor divided out, a table mixes layers of all
states. Groups are the layers of a stage. What a group shows is trusted as far as it exceeds its error (empirical
Bayes); where the machine does not change, that is nothing.
Source: Efron and Morris 1975, data analysis using Stein's estimator.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from lut.observe import Unit, unit_drifts
from lut.protocols import Floats, Layer

LEAST = 8  # covers, by which a group's response may be known
MOST = 1.0  # a response beyond is no response: a layer that does not change at all has -1

Group = tuple[str, int, int, int]


def in_usual_state(units: Sequence[Unit], layers: Mapping[str, Layer]) -> list[Unit]:
    """Covers as if all had been timed while the machine was as usual, but for the common drift; others as they are."""
    drift = unit_drifts(units)
    found = responses(units, drift, layers)
    return [
        replace(u, layers={k: [x / f ** found.get(_group(layers[k]), 0.0) for x in v] for k, v in u.layers.items()})
        for u, f in zip(units, drift.tolist(), strict=True)
    ]


def responses(units: Sequence[Unit], drift: Floats, layers: Mapping[str, Layer]) -> dict[Group, float]:
    """By group of layers, rho: its time goes with the (1 + rho)-th power of the drift."""
    seen: dict[Group, list[tuple[float, float, float]]] = {}
    for unit, f in zip(units, drift.tolist(), strict=True):
        of_cover: dict[Group, list[tuple[float, float]]] = {}
        for key, values in unit.layers.items():
            if (ms := float(np.mean(values))) > 0:  # a clock of whole microseconds may give 0
                logs = (float(np.log(layers[key].size)), float(np.log(ms / f)))
                of_cover.setdefault(_group(layers[key]), []).append(logs)
        for group, logs_of in of_cover.items():
            size, ms = np.mean(logs_of, axis=0).tolist()
            seen.setdefault(group, []).append((float(np.log(f)), size, ms))
    return _shrunk({group: _response(np.array(rows)) for group, rows in seen.items()})


def _group(layer: Layer) -> Group:
    return layer.kind, layer.in_channels, layer.out_channels, layer.stride


def _response(rows: Floats) -> tuple[float, float]:
    """A response and its standard error from (u, 3) rows of log f, s and t; (0, inf) where they do not tell."""
    x, size, ms = rows.T
    s = size - size.mean()
    columns = [np.ones(len(x)), s, s**2] if np.ptp(s) > 0 else [np.ones(len(x))]
    others = np.column_stack(columns)
    free = x - others @ np.linalg.lstsq(others, x, rcond=None)[0]
    degrees = len(x) - len(columns) - 1
    if len(x) < LEAST or degrees < 1 or not free @ free > 0:
        return 0.0, np.inf
    rho = float(free @ ms / (free @ free))
    left = ms - others @ np.linalg.lstsq(others, ms, rcond=None)[0] - rho * free
    return rho, float(np.sqrt(left @ left / degrees / (free @ free)))


def _shrunk(found: Mapping[Group, tuple[float, float]]) -> dict[Group, float]:
    """Each towards the mean of all, and that towards 0, by the share of their variance that error does not explain."""
    rho, se = np.array(list(found.values()), float).reshape(-1, 2).T
    known = np.isfinite(se)
    if not known.any():
        return dict.fromkeys(found, 0.0)
    weight = 1 / np.maximum(se[known], 1e-9) ** 2
    mean = float(weight @ rho[known] / weight.sum())
    spread = max(float(np.mean((rho[known] - mean) ** 2 - se[known] ** 2)), 0.0)
    # the groups of one cover share its sentinel's error: their mean is no better known than one of them
    error = float(np.mean(se[known] ** 2))
    common = mean * max(0.0, 1 - error / mean**2) if mean else 0.0
    own = np.where(known, (rho - mean) * spread / (spread + np.where(known, se, 1.0) ** 2), 0.0)
    return dict(zip(found, np.clip(common + own, -MOST, MOST).tolist(), strict=True))
