"""What several parts need: the runtime as a device, its networks, predictions beside measurements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tools.gpu_check.check import Check
from tools.gpu_check.findings import LeftOut

if TYPE_CHECKING:
    from hwnas import Device, MeasuredNetworks, Network, Networks
    from profilers.base import Profiler, Session

AGREEMENT = ("MAPE %", "within ±5 %", "within ±10 %", "bias %", "Kendall τ", "Spearman ρ")
_SEED = 7  # of networks that no table or plan has seen


def runtime(name: str) -> Profiler:
    """The runtime of that name; LeftOut where this tree has none or it does not work here."""
    from profilers.registry import PROFILERS, get_profiler

    if name not in PROFILERS:
        raise LeftOut(f"this tree has no runtime {name}")
    found = get_profiler(name)
    if not (status := found.status()).available:
        raise LeftOut(f"{name}: {status.reason}; {status.remedy}".rstrip("; "))
    return found


def device(check: Check, name: str = "", **options: Any) -> Device:
    """The runtime that is checked, or another, with the check's batch."""
    from hwnas import Device

    return Device(runtime(name or check.runtime).name, batch=check.batch, **options)


def sample(check: Check, n: int, seed: int = _SEED) -> Networks:
    """Random networks of the space at the check's resolutions."""
    from hwnas import Networks

    return Networks.sample(check.space, n, seed, resolutions=check.resolutions)


def compared(check: Check) -> list[Network]:
    """The smallest and the largest network, and random ones between."""
    from hwnas import Network
    from hwnas.api.spaces import space_of

    space = space_of(check.space, check.resolutions)
    ends = [Network.of(space, arch) for arch in space.extremes()]
    return [*ends, *sample(check, max(check.compared - len(ends), 0))][: check.compared]


def measured(check: Check) -> MeasuredNetworks:
    """The random networks of the part `networks`, or else the planned ones; LeftOut where there are none."""
    from hwnas import MeasuredNetworks

    for path in (check.networks, check.planned_networks):
        if path.exists():
            return MeasuredNetworks.read(path)
    raise LeftOut("no network was measured")


def agreement(predicted: Any, ms: Any) -> list[float]:
    """The figures of `AGREEMENT`."""
    from scipy.stats import kendalltau, spearmanr

    p, y = np.asarray(predicted, float), np.asarray(ms, float)
    error = p / y - 1
    shares = [float(np.mean(np.abs(error) <= limit)) for limit in (0.05, 0.10)]
    ranks = [float(kendalltau(p, y).statistic), float(spearmanr(p, y).statistic)]
    return [100 * float(np.mean(np.abs(error))), *shares, 100 * float(np.mean(error)), *ranks]


def ranks(predicted: Any, ms: Any) -> list[float | None]:
    """`agreement` of what only ranks: without its milliseconds."""
    return [None] * 4 + agreement(predicted, ms)[4:]


def logits(session: Session, seed: int = 0) -> Any:
    """Of random images."""
    images = np.random.default_rng(seed).standard_normal(session.input_shape).astype(np.float32)
    return session.infer(images)


def difference(found: Any, expected: Any) -> float:
    """The largest, of the largest logit."""
    return float(np.abs(found - expected).max() / np.abs(expected).max())
