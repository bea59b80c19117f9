"""How long a step of training takes here: a few are timed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hwnas.nets.network import Network
from hwnas.nets.supernet import Supernet
from hwnas.space import Architecture, SearchSpace
from hwnas.train.distributed import pick_device
from hwnas.train.optimise import torch_threads

TIMED = 3  # steps, of which the quickest counts
MOST_IMAGES = 16  # that are timed; a batch's time is in proportion
DRAWN = 8  # networks that stand for those of a phase


@lru_cache(maxsize=32)
def step_seconds(space: SearchSpace, batch: int, resolution: int | None = None, threads: int = 1) -> float:
    """Seconds of one forward and backward pass of the largest network on `batch` images; an estimate.

    On a GPU the whole batch is timed; on a CPU a few images, for its time is in proportion to them.
    """
    return _supernet_seconds(space, batch, [_largest(space, resolution)], threads)


def phases_seconds(space: SearchSpace, batch: int, phases: Sequence[dict[str, Any]], threads: int = 1) -> float:
    """The same of a step of a supernet's training, in the mean over its phases.

    A phase in which only the resolution changes trains the largest network; the others draw `networks` of the space,
    which the largest one teaches by a forward pass: a third of a step.
    """
    largest, drawn = step_seconds(space, batch, None, threads), _drawn_seconds(space, batch, threads)
    took = 0.0
    for phase in phases:
        choices = {"kernels", "depths", "expands"} & phase.keys()
        took += phase["steps"] * (phase.get("networks", 1) * drawn + largest / 3 if choices else largest)
    return float(took / sum(phase["steps"] for phase in phases))


def networks_seconds(networks: Iterable[tuple[nn.Module, int, int]], batch: int, threads: int = 1) -> float:
    """The same of networks that are trained each on its own, in the mean.

    Args:
        networks: each with its channels and pixels.
        batch: images a step.
        threads: of the CPU.
    """
    device, found = pick_device("auto"), []
    for network, channels, size in networks:
        model = network.to(device).to(memory_format=torch.channels_last).train()
        found.append(_timed(model, channels, size, batch, threads))
    return sum(found) / len(found)


def own_networks(space: SearchSpace, archs: Iterable[Architecture]) -> Iterable[tuple[Network, int, int]]:
    """Networks of a space as `networks_seconds` takes them, one after another."""
    return ((Network(space.layers(arch), arch), space.in_channels, arch.r) for arch in archs)


@lru_cache(maxsize=32)
def _drawn_seconds(space: SearchSpace, batch: int, threads: int) -> float:
    rng = np.random.default_rng(0)
    return _supernet_seconds(space, batch, space.decode(space.sample(DRAWN, rng)), threads)


def _largest(space: SearchSpace, resolution: int | None) -> Architecture:
    return space.extremes(resolution or space.resolutions[len(space.resolutions) // 2])[1]


def _supernet_seconds(space: SearchSpace, batch: int, archs: Sequence[Architecture], threads: int) -> float:
    supernet = Supernet(space).to(pick_device("auto")).to(memory_format=torch.channels_last).train()
    calls = ((lambda images, arch=arch: supernet(images, arch), arch.r) for arch in archs)
    found = [_timed(call, space.in_channels, size, batch, threads) for call, size in calls]
    return sum(found) / len(found)


def _timed(call: Callable[[Tensor], Tensor], channels: int, size: int, batch: int, threads: int) -> float:
    """Seconds of a batch: the quickest of a few steps."""
    device = pick_device("auto")
    count = batch if device.type == "cuda" else min(batch, MOST_IMAGES)
    images = torch.from_numpy(np.random.default_rng(0).random((count, channels, size, size), np.float32)).to(device)
    with torch_threads(threads):
        return min(_step(call, images) for _ in range(TIMED)) * batch / count


def _step(call: Callable[[Tensor], Tensor], images: Tensor) -> float:
    start = time.perf_counter()
    call(images.contiguous(memory_format=torch.channels_last)).sum().backward()  # type: ignore[no-untyped-call]
    if images.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - start
