"""BatchNorm recalibration and top-1 accuracy, batch by batch."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from hwnas.data import Dataset
from hwnas.train.optimise import Diverged

BATCH = 128
CALIBRATION = 512  # training images for BatchNorm statistics

Batches = Iterable[tuple[Tensor, Tensor]]  # images (n, C, r, r) and labels (n,)


def calibration_batches(dataset: Dataset, resolution: int, count: int = CALIBRATION) -> Batches:
    """`count` training images, the same ones each time."""
    return dataset.batches("train", resolution, BATCH, count)


@torch.no_grad()
def recalibrate(network: nn.Module, batches: Batches) -> None:
    """Set BatchNorm's running statistics to the averages over the batches.

    A network inherits statistics that were gathered over many networks; they must be its own (NSGANetV2, section 4;
    once-for-all's `set_running_statistics`). The network is left in evaluation mode.
    """
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    before, device = [norm.momentum for norm in norms], _device(network)
    network.eval()  # dropped branches would change the statistics
    for norm in norms:
        norm.train()
    for index, (images, _) in enumerate(batches):
        for norm in norms:
            norm.momentum = 1 / (index + 1)  # running averages become the average over all batches
        network(images.to(device))
    for norm, momentum in zip(norms, before, strict=True):
        norm.momentum = momentum
    network.eval()


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
