"""Training of single networks: on from inherited weights, or from random ones.

Source: NSGANetV2, sections 3.4 and 4 (five epochs in the search, many for the chosen networks).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from hwnas.data import Dataset, get_dataset
from hwnas.nets.checkpoint import Provenance, load_supernet, save_network
from hwnas.nets.network import Network
from hwnas.space import Architecture, get_space
from hwnas.train.config import FinetuneConfig, Recipe
from hwnas.train.evaluate import calibration_images, evaluate, recalibrate
from hwnas.train.optimise import (
    index_batches,
    learning_rate,
    loss_of,
    make_optimiser,
    steps_per_epoch,
    teacher_probabilities,
    torch_threads,
    update,
)
from profilers.errors import BadInput
from profilers.progress import Progress, track


def finetune(
    network: Network,
    dataset: Dataset,
    *,
    epochs: int,
    lr: float,
    recipe: Recipe | None = None,
    seed: int = 0,
    teacher: Network | None = None,
    progress: Progress | None = None,
) -> None:
    """Train `network` in place on the training split at its own resolution; BatchNorm is recalibrated at the end.

    Args:
        network: one that knows its architecture.
        dataset: with as many classes and channels.
        epochs: passes over the training images.
        lr: peak of the cosine learning rate.
        recipe: optimisation; by default `Recipe()`.
        seed: of order, augmentation and dropout; the same seed gives the same weights.
        teacher: distilled from, if given.
        progress: advanced once an epoch.
    """
    if network.arch is None:
        raise BadInput("a network without architecture", "one that was made of an Architecture")
    recipe, resolution = recipe or Recipe(), network.arch.r
    network.dropout = recipe.dropout
    network.to(memory_format=torch.channels_last).train()
    optimiser = make_optimiser(network, recipe)
    size = dataset.size("train")
    steps = steps_per_epoch(size, recipe.batch)
    rng = np.random.default_rng([seed, 1])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # of dropout
        for step in range(epochs * steps):
            if step % steps == 0:
                batches = index_batches(size, recipe.batch, rng)
            images, labels = dataset.batch("train", next(batches), resolution, augment=rng)
            images = images.contiguous(memory_format=torch.channels_last)
            soft = None if teacher is None else teacher_probabilities(teacher, images)
            loss = loss_of(network(images), labels, soft, recipe)
            loss.backward()  # type: ignore[no-untyped-call]
            update(optimiser, learning_rate(step, epochs * steps, lr, recipe.warmup))
            if progress and (step + 1) % steps == 0:
                progress.advance()
    recalibrate(network, calibration_images(dataset, resolution))


class Finetuning:
    """What `hwnas train finetune` does: train and write the networks of a supernet, or of a space from random weights.

    Raises:
        BadInput: a supernet, space or data set that does not fit.
    """

    def __init__(self, config: FinetuneConfig) -> None:
        self.config, self.dataset, self.supernet = config, get_dataset(config.dataset), None
        if config.supernet is None:
            self.space = get_space(config.space or "", config.resolutions, self.dataset.classes)
        else:
            self.supernet, _ = load_supernet(config.supernet)
            self.space = self.supernet.space
        if (self.space.classes, self.space.in_channels) != (self.dataset.classes, self.dataset.in_channels):
            got = f"data set {self.dataset.name} of {self.dataset.classes} classes, {self.dataset.in_channels} channels"
            raise BadInput(got, f"{self.space.classes} classes, {self.space.in_channels} channels")

    def run(self, archs: Sequence[Architecture]) -> Iterator[dict[str, Any]]:
        """Facts of each network as it is done; top-1 in percent, of test images only now."""
        teacher = self.supernet.extract(self.space.extremes()[1]) if self.supernet and self.config.teacher else None
        with track(len(archs) * self.config.epochs, "fine-tuning") as bar:
            for arch in archs:
                with torch_threads(self.config.threads):
                    facts = self._one(arch, teacher, bar)
                yield facts

    def _one(self, arch: Architecture, teacher: Network | None, bar: Progress) -> dict[str, Any]:
        config, dataset = self.config, self.dataset
        specs = self.space.layers(arch)
        network = self.supernet.extract(arch) if self.supernet else Network(specs, arch, seed=config.seed)
        recalibrate(network, calibration_images(dataset, arch.r))
        before = self._top1(network, "val")
        options: Any = {"epochs": config.epochs, "lr": config.lr, "recipe": config.recipe, "seed": config.seed}
        finetune(network, dataset, **options, teacher=teacher, progress=bar)
        path = config.out / f"{arch.id}.safetensors"
        provenance = Provenance(dataset.name, dataset.mean, dataset.std, {"config": config.to_json()})
        save_network(path, network, self.space, provenance)
        after = {f"{split}_top1": self._top1(network, split) for split in ("val", "test")}
        return {"id": arch.id, "arch": arch.to_json(), "file": str(path), "val_top1_before": before, **after}

    def _top1(self, network: Network, split: str) -> float:
        assert network.arch is not None
        top1 = evaluate(network, self.dataset.images(split, network.arch.r), self.dataset.labels(split))
        return round(top1, 2)
