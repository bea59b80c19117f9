"""BatchNorm recalibration and top-1 accuracy, batch by batch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from hwnas.data import BatchRequest, Dataset
from hwnas.nets.statistics import take_statistics
from hwnas.train.optimise import Diverged

BATCH = 128
CALIBRATION = 512  # training images for BatchNorm statistics
VALIDATED = 2000  # validation images, at most, that tell how far a recalibration moved the accuracy

Batches = Iterable[tuple[Tensor, Tensor]]  # images (n, C, r, r) and labels (n,)


@dataclass(frozen=True)
class RecalibrationEffect:
    """Top-1 (%) on `images` of the validation split before and after a recalibration; None: no numbers came out."""

    before: float | None
    after: float | None
    images: int

    @property
    def points(self) -> float | None:
        """Of top-1 that were gained."""
        return None if self.before is None or self.after is None else round(self.after - self.before, 2)

    def __str__(self) -> str:
        before, after = ("no number" if x is None else f"{x:.2f} %" for x in (self.before, self.after))
        return f"which moved top-1 from {before} to {after} on {self.images} validation images"


def calibration_batches(dataset: Dataset, resolution: int, count: int = CALIBRATION) -> Batches:
    """`count` training images, the same ones each time, in batches of nearly one size and one mixture of classes."""
    order = dataset.sample("train", count)
    parts = np.array_split(order, max(1, round(len(order) / BATCH)))
    return dataset.prefetch("train", (BatchRequest(part, resolution) for part in parts))


def recalibrate(network: nn.Module, batches: Batches) -> None:
    """Set BatchNorm's running statistics to those of the images, whatever their batches' sizes.

    A network inherits statistics that were gathered over many networks; they must be its own (NSGANetV2, section 4;
    once-for-all's `set_running_statistics`). The network is left in evaluation mode.
    """
    take_statistics(network, (images for images, _ in batches))


def recalibrate_on(network: nn.Module, dataset: Dataset, resolution: int) -> RecalibrationEffect:
    """Recalibrate on training images, and see what that did to the accuracy on (some) validation images."""
    before = _validated(network, dataset, resolution)
    recalibrate(network, calibration_batches(dataset, resolution))
    return RecalibrationEffect(before, _validated(network, dataset, resolution), min(VALIDATED, dataset.size("val")))


def recalibration_effect(
    inherited: nn.Module, recalibrated: nn.Module, dataset: Dataset, resolution: int
) -> RecalibrationEffect:
    """What recalibration did to the accuracy on (some) validation images: the network without it, and with it."""
    before, after = (_validated(network, dataset, resolution) for network in (inherited, recalibrated))
    return RecalibrationEffect(before, after, min(VALIDATED, dataset.size("val")))


def _validated(network: nn.Module, dataset: Dataset, resolution: int) -> float | None:
    try:
        return round(evaluate(network, dataset.batches("val", resolution, BATCH, VALIDATED)), 2)
    except Diverged:  # inherited statistics may fit so badly
        return None


@torch.no_grad()
def evaluate(network: nn.Module, batches: Batches) -> float:
    """Top-1 accuracy in percent, in evaluation mode; Diverged if the network answers with what is no number."""
    network.eval()
    device, right, count = _device(network), 0, 0
    for images, labels in batches:
        logits = network(images.to(device))
        if not bool(logits.isfinite().all()):
            raise Diverged("the network's logits are not finite", "a network that has learnt", "a smaller lr")
        right += int((logits.argmax(1) == labels.to(device)).sum())
        count += len(labels)
    return 100 * right / count


def top1(network: nn.Module, dataset: Dataset, split: str, resolution: int) -> float:
    """Accuracy on a whole split in percent, to two digits."""
    return round(evaluate(network, dataset.batches(split, resolution, BATCH)), 2)


def _device(network: nn.Module) -> torch.device:
    return next((p.device for p in network.parameters()), torch.device("cpu"))
