"""What supernet training and fine-tuning share: loss, optimiser, learning rate, batches."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from hwnas.nets.network import Network
from hwnas.train.config import Recipe
from profilers.errors import HwnasError

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class Diverged(HwnasError):
    """The loss, or what a network answers, is not a number any more."""


class Descent:
    """Stochastic gradient descent on a model in the recipe's precision.

    Args:
        model: its parameters stay float32.
        recipe: optimiser and precision; fp16 scales losses so that small gradients do not vanish.
        device: where the model is.
    """

    def __init__(self, model: nn.Module, recipe: Recipe, device: torch.device) -> None:
        self.model, self.recipe, self.device = model, recipe, device
        self.sgd = make_optimiser(model, recipe)
        self.scaler = torch.amp.GradScaler(device.type, enabled=recipe.precision == "fp16")

    def autocast(self) -> torch.autocast:
        """Around a forward pass: products in the recipe's precision."""
        precision = self.recipe.precision
        return torch.autocast(self.device.type, _DTYPES[precision], enabled=precision != "fp32")

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of a loss."""
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]

    def update(self, lr: float) -> None:
        """One step with the gradients that are there, which are then cleared."""
        for group in self.sgd.param_groups:
            group["lr"] = lr
        self.scaler.step(self.sgd)
        self.scaler.update()
        self.sgd.zero_grad()

    def momentum(self) -> dict[str, Tensor]:
        """The optimiser's state by parameter name."""
        state = {name: self.sgd.state[p].get("momentum_buffer") for name, p in self.model.named_parameters()}
        return {name: buffer for name, buffer in state.items() if buffer is not None}

    def restore(self, momentum: Mapping[str, Tensor], scaler: Mapping[str, Any]) -> None:
        """Go on from `momentum()` and `scaler.state_dict()`."""
        for name, parameter in self.model.named_parameters():
            if name in momentum:
                buffer = torch.empty_like(parameter).copy_(momentum[name])  # on its device, in its memory format
                self.sgd.state[parameter] = {"momentum_buffer": buffer}
        if scaler:
            self.scaler.load_state_dict(dict(scaler))


def make_optimiser(model: nn.Module, recipe: Recipe) -> torch.optim.SGD:
    """SGD; weights of BatchNorm, biases and kernel matrices do not decay."""
    learnt = [p for p in model.parameters() if p.requires_grad]
    decay, rest = [p for p in learnt if p.ndim == 4], [p for p in learnt if p.ndim != 4]
    groups = [{"params": decay, "weight_decay": recipe.weight_decay}, {"params": rest, "weight_decay": 0.0}]
    return torch.optim.SGD(groups, lr=0.0, momentum=recipe.momentum, nesterov=recipe.momentum > 0)


MOST_WEIGHT = 10.0  # of a class, beside the mean


def class_weights(labels: Tensor, classes: int) -> Tensor:
    """(classes,) float32: images / (classes * images of the class), at most `MOST_WEIGHT`."""
    counts = torch.bincount(labels, minlength=classes).clamp(min=1)
    return (len(labels) / (classes * counts.float())).clamp(max=MOST_WEIGHT)


def loss_of(
    logits: Tensor, labels: Tensor, soft: Tensor | None, recipe: Recipe, weights: Tensor | None = None
) -> Tensor:
    """Cross-entropy with smoothed labels, plus `distill` times that with the teacher's probabilities (n, classes).

    `labels` are (n,) classes, or (n, classes) probabilities of mixed images; `weights` (classes,) those of the classes.
    """
    logits = logits.float()
    loss = F.cross_entropy(logits, labels, weights, label_smoothing=recipe.label_smoothing)
    return loss if soft is None else loss + recipe.distill * F.cross_entropy(logits, soft)


@torch.no_grad()
def teacher_probabilities(teacher: Network, images: Tensor) -> Tensor:
    """(n, classes) probabilities of a fixed network, with the batch's own BatchNorm statistics.

    Its running statistics mix all resolutions, and suit none when they lie far apart.
    """
    return teacher.train()(images).float().softmax(1)  # type: ignore[no-any-return]


def check_finite(loss: float, when: str) -> None:
    """Diverged if an epoch's mean loss is no number."""
    if not math.isfinite(loss):
        raise Diverged(f"the loss of {when} is {loss}", "a finite one", "a smaller lr")


def learning_rate(step: int, total: int, peak: float, warmup: float) -> float:
    """Linear from 0 over the first `warmup` of all steps, then a half cosine to 0."""
    first = round(total * warmup)
    if step < first:
        return peak * (step + 1) / (first + 1)
    return peak * 0.5 * (1 + math.cos(math.pi * (step - first) / max(total - first, 1)))


def steps_per_epoch(size: int, batch: int) -> int:
    """Batches in an epoch; a last batch smaller than half is left out (its BatchNorm statistics are poor)."""
    return max(1, round(size / batch))


def smallest_batch(size: int, batch: int) -> int:
    """Images in the smallest batch of an epoch."""
    return min(batch, size - (steps_per_epoch(size, batch) - 1) * batch)


def index_batches(size: int, batch: int, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """One epoch's indices in random order."""
    order = rng.permutation(size)
    for step in range(steps_per_epoch(size, batch)):
        yield order[step * batch : (step + 1) * batch]


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Compute with `count` threads inside the block; 0 leaves torch's setting.

    One is fastest for small images: an operation takes less time than waiting for the other threads.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def torch_seed(seed: int, device: torch.device) -> Iterator[None]:
    """Torch's random numbers inside the block come from `seed`; outside they go on as if nothing had happened."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
