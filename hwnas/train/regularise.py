"""What keeps many epochs of one network from overfitting: changed images, and averaged weights.

    images (n, C, r, r) normalised    labels (n,) classes -> (n, classes) probabilities, if images are mixed

Random numbers are torch's global ones, which training seeds for every epoch.
Sources: RandAugment (Cubuk et al. 2020), mixup (Zhang et al. 2018), CutMix (Yun et al. 2019), as torchvision has them;
the average of weights: EfficientNet (Tan & Le 2019), section 5.2.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from hwnas.data import Dataset
from hwnas.train.config import Regularise


class BatchAugmentation:
    """Changes the images of a batch: RandAugment on each, then mixup or CutMix of the whole batch.

    Args:
        config: how strongly.
        dataset: whose images they are; its normalisation is undone for RandAugment, which wants values 0..1.
    """

    def __init__(self, config: Regularise, dataset: Dataset) -> None:
        from torchvision.transforms import v2  # takes a second to import, and searches do not need it

        shape = (-1, 1, 1)
        self.mean, self.std = (torch.tensor(v).view(shape) for v in (dataset.mean, dataset.std))
        self.augment = v2.RandAugment(config.randaugment, config.magnitude) if config.randaugment else None
        mixers = [(v2.MixUp, config.mixup), (v2.CutMix, config.cutmix)]
        chosen = [make(alpha=alpha, num_classes=dataset.classes) for make, alpha in mixers if alpha]
        self.mix: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] | None = v2.RandomChoice(chosen) if chosen else None

    def __call__(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Changed images and their labels, on the CPU."""
        if self.augment is not None:
            raw = (images * self.std + self.mean).clamp_(0, 1)
            images = (torch.stack([self.augment(x) for x in raw]) - self.mean) / self.std
        return (images, labels) if self.mix is None else self.mix(images, labels)


def averaged(network: nn.Module, decay: float) -> AveragedModel:
    """A copy whose weights follow the network's: w <- d w + (1 - d) w_network at each `update_parameters`.

    d is `decay`, but less in the first steps, (1 + n) / (10 + n): short trainings shall not keep their beginning.
    """

    def follow(averages: list[Tensor], values: list[Tensor], count: int | Tensor) -> None:
        n = float(count)
        torch._foreach_lerp_(averages, values, 1 - min(decay, (1 + n) / (10 + n)))

    return AveragedModel(network, multi_avg_fn=torch.no_grad()(follow))  # type: ignore[arg-type]
