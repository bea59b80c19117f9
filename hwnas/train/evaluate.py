"""BatchNorm recalibration and top-1 accuracy."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hwnas.data import Dataset

BATCH = 128
CALIBRATION = 512  # training images for BatchNorm statistics


def calibration_images(dataset: Dataset, resolution: int, count: int = CALIBRATION) -> Tensor:
    """(n, C, r, r) training images, the same ones each time."""
    return dataset.images("train", resolution, count)


@torch.no_grad()
def recalibrate(network: nn.Module, images: Tensor, batch: int = BATCH) -> None:
    """Set BatchNorm's running statistics to the averages over `images` (n, C, r, r).

    A network inherits statistics that were gathered over many networks; they must be its own (NSGANetV2, section 4;
    once-for-all's `set_running_statistics`). The network is left in evaluation mode.
    """
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    before = [norm.momentum for norm in norms]
    network.train()
    for index, part in enumerate(torch.split(images, batch)):
        for norm in norms:
            norm.momentum = 1 / (index + 1)  # running averages become the average over all batches
        network(part)
    for norm, momentum in zip(norms, before, strict=True):
        norm.momentum = momentum
    network.eval()


@torch.no_grad()
def evaluate(network: nn.Module, images: Tensor, labels: Tensor, batch: int = BATCH) -> float:
    """Top-1 accuracy in percent on images (n, C, r, r) with labels (n,), in evaluation mode."""
    network.eval()
    parts = zip(torch.split(images, batch), torch.split(labels, batch), strict=True)
    right = sum(int((network(x).argmax(1) == y).sum()) for x, y in parts)
    return 100 * right / len(labels)
