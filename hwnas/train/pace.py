"""How long a step of training takes here: a few are timed."""

from __future__ import annotations

import time
from functools import lru_cache

import numpy as np
import torch

from hwnas.nets.supernet import Supernet
from hwnas.space import Architecture, SearchSpace
from hwnas.train.distributed import pick_device
from hwnas.train.optimise import torch_threads

TIMED = 3  # steps, of which the quickest counts
MOST_IMAGES = 16  # that are timed; a batch's time is in proportion


@lru_cache(maxsize=32)
def step_seconds(space: SearchSpace, batch: int, resolution: int | None = None, threads: int = 1) -> float:
    """Seconds of one forward and backward pass of the largest network on `batch` images; an estimate.

    On a GPU the whole batch is timed; on a CPU a few images, for its time is in proportion to them.
    """
    device = pick_device("auto")
    count = batch if device.type == "cuda" else min(batch, MOST_IMAGES)
    arch = space.extremes(resolution or space.resolutions[len(space.resolutions) // 2])[1]
    supernet = Supernet(space).to(device).to(memory_format=torch.channels_last).train()
    images = torch.from_numpy(np.random.default_rng(0).random((count, space.in_channels, arch.r, arch.r), np.float32))
    with torch_threads(threads):
        return min(_step(supernet, images.to(device), arch) for _ in range(TIMED)) * batch / count


def _step(supernet: Supernet, images: torch.Tensor, arch: Architecture) -> float:
    start = time.perf_counter()
    supernet(images.contiguous(memory_format=torch.channels_last), arch).sum().backward()
    if images.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - start
