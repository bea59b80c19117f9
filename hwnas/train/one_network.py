"""Training of one network: on from inherited weights, or from random ones.

Source: NSGANetV2, sections 3.4 and 4 (five epochs in the search, many for the chosen networks).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hwnas.data import BatchRequest, Dataset
from hwnas.nets.checkpoint import load_state
from hwnas.nets.network import Network
from hwnas.train.config import Recipe, Regularise
from hwnas.train.distributed import Group
from hwnas.train.evaluate import RecalibrationEffect, calibration_batches, recalibrate, recalibrate_on
from hwnas.train.optimise import (
    Descent,
    check_finite,
    class_weights,
    index_batches,
    learning_rate,
    loss_of,
    smallest_batch,
    teacher_probabilities,
    torch_seed,
)
from hwnas.train.regularise import BatchAugmentation, averaged
from hwnas.train.schedule import Schedule
from profilers.errors import BadInput


def finetune(
    network: Network,
    dataset: Dataset,
    *,
    lr: float,
    epochs: int | None = None,
    steps: int | None = None,
    recipe: Recipe | None = None,
    seed: int = 0,
    group: Group | None = None,
) -> None:
    """Train `network` in place on the training split at its own resolution; BatchNorm is recalibrated at the end.

    Args:
        network: one that knows its architecture.
        dataset: with as many classes and channels.
        lr: peak of the cosine learning rate.
        epochs: passes over the training images; or `steps`, updates.
        steps: instead of `epochs`.
        recipe: optimisation; by default `Recipe()`.
        seed: of order, augmentation and dropout; the same seed gives the same weights.
        group: device and processes; by default this one on the CPU.

    Raises:
        Diverged: a loss that is no number.
    """
    training = Training(network, dataset, lr=lr, epochs=epochs, steps=steps, recipe=recipe, seed=seed, group=group)
    while training.done < training.schedule.passes:
        training.run_epoch()
    training.finish()


class Training:
    """One network's training, pass by pass; every random number derives from (seed, pass).

    The arguments are those of `finetune`, and `teacher`, a network that is distilled from, and `regularise`;
    `resolution` (px) is for networks that were not made of an Architecture, whose dropout is their own.
    """

    def __init__(
        self,
        network: nn.Module,
        dataset: Dataset,
        *,
        resolution: int | None = None,
        lr: float,
        epochs: int | None = None,
        steps: int | None = None,
        recipe: Recipe | None = None,
        regularise: Regularise | None = None,
        seed: int = 0,
        teacher: Network | None = None,
        group: Group | None = None,
    ) -> None:
        size = network.arch.r if isinstance(network, Network) and network.arch is not None else resolution
        if size is None:
            raise BadInput("a network without architecture", "one that was made of an Architecture")
        self.network, self.dataset, self.resolution = network, dataset, size
        self.lr, self.seed, self.done = lr, seed, 0
        self.recipe, self.group = recipe or Recipe(), group or Group()
        self.size = dataset.size("train")
        self.schedule = Schedule.of(epochs, steps, self.size, self.recipe.batch)
        self.group.check_batch(smallest_batch(self.size, self.recipe.batch))
        self.regularise = regularise or Regularise()
        weighted = self.recipe.class_weights
        weights = class_weights(dataset.labels("train"), dataset.classes) if weighted else None
        self.weights = None if weights is None else weights.to(self.group.device)
        if isinstance(network, Network):
            network.dropout, network.drop_connect = self.recipe.dropout, self.regularise.drop_connect
        network.to(self.group.device).to(memory_format=torch.channels_last)
        self.teacher = teacher and teacher.to(self.group.device).to(memory_format=torch.channels_last)
        self.model = self.group.parallel(network)
        self.descent = Descent(network, self.recipe, self.group.device)
        changed = self.regularise.randaugment or self.regularise.mixup or self.regularise.cutmix
        self.images = BatchAugmentation(self.regularise, dataset) if changed else None
        self.average = averaged(network, self.regularise.ema) if self.regularise.ema else None

    def run_epoch(self) -> float:
        """One pass over the training images; returns the mean loss, Diverged if it is no number."""
        self.network.train()
        schedule, losses = self.schedule, []
        noise = np.random.default_rng([self.seed, self.done, 1, self.group.rank])
        with torch_seed(int(noise.integers(2**31)), self.group.device):
            for step, (weight, images, labels) in enumerate(self.batches()):
                self.group.check_alive()
                done = self.done * schedule.per_pass + step
                rate = learning_rate(done, schedule.steps, self.lr, self.recipe.warmup)
                losses.append(self.train_step(images, labels, rate, weight))
        self.done += 1
        loss = self.group.mean(float(torch.stack(losses).mean()))
        check_finite(loss, f"epoch {self.done}")
        return loss

    def batches(self) -> Iterator[tuple[float, Tensor, Tensor]]:
        """The process's share of each batch of an epoch, and what its loss counts."""
        order = np.random.default_rng([self.seed, self.done])
        augment = np.random.default_rng([self.seed, self.done, 2, self.group.rank])
        indices = list(index_batches(self.size, self.recipe.batch, order))[: self.schedule.length(self.done)]
        requests = (BatchRequest(self.group.share(i), self.resolution, augment) for i in indices)
        for whole, (images, labels) in zip(indices, self.dataset.prefetch("train", requests), strict=True):
            if self.images is not None:
                images, labels = self.images(images, labels)
            images = images.to(self.group.device).contiguous(memory_format=torch.channels_last)
            yield self.group.weight(whole), images, labels.to(self.group.device)

    def train_step(self, images: Tensor, labels: Tensor, lr: float, weight: float = 1.0) -> Tensor:
        """One update; returns the loss."""
        with self.descent.autocast():
            soft = None if self.teacher is None else teacher_probabilities(self.teacher, images)
            logits = self.model(images)
        loss = loss_of(logits, labels, soft, self.recipe, self.weights) * weight
        self.descent.backward(loss)
        self.descent.update(lr)
        if self.average is not None:
            self.average.update_parameters(self.network)
        return loss.detach()

    def finish(self) -> None:
        """Take the averaged weights, if any, and recalibrate BatchNorm."""
        self._take_average()
        recalibrate(self.network, calibration_batches(self.dataset, self.resolution))

    def finish_and_validate(self) -> RecalibrationEffect:
        """The same; says how far the recalibration moved the accuracy."""
        self._take_average()
        return recalibrate_on(self.network, self.dataset, self.resolution)

    def candidate(self) -> nn.Module:
        """What training would end in now, before BatchNorm's recalibration; it is changed by the next step."""
        return self.network if self.average is None else self.average.module

    def candidate_copy(self) -> nn.Module:
        """The same, to be judged."""
        return deepcopy(self.candidate())

    def take(self, weights: Mapping[str, Tensor], path: Path) -> None:
        """End in these weights, of an earlier `candidate`, read from `path`; BadInput if they do not fit."""
        load_state(self.network, weights, path)
        self.average = None

    def _take_average(self) -> None:
        if self.average is not None:
            self.network.load_state_dict(self.average.module.state_dict())

    # --- what the next epoch depends on ------------------------------------------------------------------------

    def state(self) -> dict[str, dict[str, Tensor]]:
        """All tensors."""
        average = self.average.state_dict() if self.average is not None else {}
        return {"network": self.network.state_dict(), "momentum": self.descent.momentum(), "average": average}

    def restore(
        self, groups: Mapping[str, dict[str, Tensor]], done: int, scaler: Mapping[str, Any], path: Path
    ) -> None:
        """Go on behind `done` epochs from `state()`, read from `path`; BadInput if tensors are missing or misshapen."""
        load_state(self.network, groups.get("network", {}), path)
        self.descent.restore(groups.get("momentum", {}), scaler)
        if self.average is not None:
            load_state(self.average, groups.get("average", {}), path)
        self.done = done
