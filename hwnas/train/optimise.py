"""What supernet training and fine-tuning share: loss, optimiser, learning rate, batches."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from hwnas.nets.network import Network
from hwnas.train.config import Recipe


def loss_of(logits: Tensor, labels: Tensor, soft: Tensor | None, recipe: Recipe) -> Tensor:
    """Cross-entropy with smoothed labels, plus `distill` times that with the teacher's probabilities (n, classes)."""
    loss = F.cross_entropy(logits, labels, label_smoothing=recipe.label_smoothing)
    return loss if soft is None else loss + recipe.distill * F.cross_entropy(logits, soft)


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Compute with `count` threads inside the block; 0 leaves torch's setting.

    Networks on 8 x 8 digits are seven times slower on two threads of a busy machine than on one: their operations are
    shorter than a wait for the other thread.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@torch.no_grad()
def teacher_probabilities(teacher: Network, images: Tensor) -> Tensor:
    """(n, classes) probabilities of a fixed network, with the batch's own BatchNorm statistics.

    Its running statistics mix all resolutions, and suit none when they lie far apart.
    """
    return teacher.train()(images).softmax(1)  # type: ignore[no-any-return]


def make_optimiser(model: nn.Module, recipe: Recipe) -> torch.optim.SGD:
    """SGD; weights of BatchNorm, biases and kernel matrices do not decay."""
    decay = [p for p in model.parameters() if p.ndim == 4]
    rest = [p for p in model.parameters() if p.ndim != 4]
    groups = [{"params": decay, "weight_decay": recipe.weight_decay}, {"params": rest, "weight_decay": 0.0}]
    return torch.optim.SGD(groups, lr=0.0, momentum=recipe.momentum, nesterov=recipe.momentum > 0)


def learning_rate(step: int, total: int, peak: float, warmup: float) -> float:
    """Linear from 0 over the first `warmup` of all steps, then a half cosine to 0."""
    first = round(total * warmup)
    if step < first:
        return peak * (step + 1) / (first + 1)
    return peak * 0.5 * (1 + math.cos(math.pi * (step - first) / max(total - first, 1)))


def update(optimiser: torch.optim.SGD, lr: float) -> None:
    """One step with the gradients that are there, which are then cleared."""
    for group in optimiser.param_groups:
        group["lr"] = lr
    optimiser.step()
    optimiser.zero_grad()


def steps_per_epoch(size: int, batch: int) -> int:
    """Batches in an epoch; a last batch smaller than half is left out (its BatchNorm statistics are poor)."""
    return max(1, round(size / batch))


def index_batches(size: int, batch: int, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """One epoch's indices in random order."""
    order = rng.permutation(size)
    for step in range(steps_per_epoch(size, batch)):
        yield order[step * batch : (step + 1) * batch]


def momentum_of(model: nn.Module, optimiser: torch.optim.SGD) -> dict[str, Tensor]:
    """The optimiser's whole state, by parameter name."""
    state = {name: optimiser.state[p].get("momentum_buffer") for name, p in model.named_parameters()}
    return {name: buffer for name, buffer in state.items() if buffer is not None}


def restore_momentum(model: nn.Module, optimiser: torch.optim.SGD, momentum: dict[str, Any]) -> None:
    """Undo `momentum_of`."""
    for name, parameter in model.named_parameters():
        if name in momentum:
            optimiser.state[parameter] = {"momentum_buffer": momentum[name].clone()}
