"""Accuracy by inherited weights: extract, recalibrate BatchNorm, fine-tune if wanted, validate.

Source: NSGANetV2, section 3.4 and section 4, "Search": no or five epochs of fine-tuning, held-out training images.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hwnas.data import Dataset, get_dataset
from hwnas.nets import Network, Supernet
from hwnas.nets.checkpoint import Provenance, load_supernet
from hwnas.nets.ofa_checkpoint import is_torch_file, read_ofa_checkpoint
from hwnas.space import Architecture, SearchSpace
from hwnas.train.evaluate import CALIBRATION, calibration_images, evaluate, recalibrate
from hwnas.train.finetune import finetune
from hwnas.train.optimise import torch_threads
from profilers.errors import BadInput

_VIEW_SEED = 20


class SupernetAccuracy:
    """Validates networks of a supernet.

    Args:
        path: a supernet of `hwnas train supernet`, or one that once-for-all published.
        space: the space that is searched.
        dataset: by default the one that the supernet was trained on.
        split: of the data set.
        views: how many distorted copies of each validation image are judged beside the image itself; by default what
            the data set says. A few hundred small images alone leave most networks tied.
        calibration: training images for BatchNorm's statistics.
        finetune_epochs: of training before validation, at the learning rate `finetune_lr`.
        threads: torch's; 0 leaves its default.

    Raises:
        BadInput, FileProblem: a file or data set that does not fit.
    """

    def __init__(
        self,
        path: Path,
        space: SearchSpace,
        *,
        dataset: str | None = None,
        split: str = "val",
        views: int | None = None,
        calibration: int = CALIBRATION,
        finetune_epochs: int = 0,
        finetune_lr: float = 0.02,
        threads: int = 1,
    ) -> None:
        self.supernet, provenance = open_supernet(path, space)
        name = dataset or (provenance.dataset if provenance else None)
        if name is None:
            raise BadInput(f"{path} names no data set", "an option dataset", 'dataset = "NAME" in [evaluate]')
        if calibration < 1 or min(views or 0, finetune_epochs, threads) < 0:
            got = f"calibration {calibration}, views {views}, finetune_epochs {finetune_epochs}, threads {threads}"
            raise BadInput(got, "calibration 1 or more, the others 0 or more")
        self.dataset = get_dataset(name)
        _check(self.supernet.space, space, self.dataset)
        self.dataset.labels(split)  # an unknown split is refused now, not at the first network
        self.split, self.calibration = split, calibration
        self.views = self.dataset.views if views is None else views
        self.finetune_epochs, self.finetune_lr, self.threads = finetune_epochs, finetune_lr, threads
        self._images = lru_cache(maxsize=8)(self._make_images)

    def evaluate(self, arch: Architecture) -> float:
        """Top-1 in percent over the images and their distorted copies; the same for the same architecture.

        Raises:
            BadInput: an architecture outside the supernet's space.
        """
        with torch_threads(self.threads):
            network = self.supernet.extract(arch).to(memory_format=torch.channels_last)
            calibration, images, labels = self._images(arch.r)
            if self.finetune_epochs:
                finetune(network, self.dataset, epochs=self.finetune_epochs, lr=self.finetune_lr)
            recalibrate(network, calibration)
            return evaluate(network, images, labels)

    def _make_images(self, resolution: int) -> tuple[Tensor, Tensor, Tensor]:
        """Calibration images, validation images with their copies, and the labels of these."""
        indices = np.arange(self.dataset.size(self.split))
        rng = np.random.default_rng(_VIEW_SEED)
        augment = [None] + [rng] * self.views
        parts = [self.dataset.batch(self.split, indices, resolution, a) for a in augment]
        images, labels = (torch.cat(x) for x in zip(*parts, strict=True))
        return calibration_images(self.dataset, resolution, self.calibration), images, labels


def inherit(path: Path, space: SearchSpace, arch: Architecture) -> tuple[Network, Dataset | None]:
    """`arch` with the weights of a supernet's file and recalibrated BatchNorm, and the data set that it is for.

    A published supernet of once-for-all names no data set: its statistics are taken as inherited, the data set is None.
    """
    supernet, provenance = open_supernet(path, space)
    network = supernet.extract(arch)
    if provenance is None:
        return network.eval(), None
    dataset = get_dataset(provenance.dataset)
    with torch_threads(1):  # as the search does, so that the weights are the same to the last digit
        recalibrate(network, calibration_images(dataset, arch.r))
    return network, dataset


def open_supernet(path: Path, space: SearchSpace) -> tuple[Supernet, Provenance | None]:
    """A supernet of our own format or of once-for-all's; BadInput if it is not of `space`."""
    if is_torch_file(path):
        return read_ofa_checkpoint(path, space), None
    return load_supernet(path, space)


def _check(own: SearchSpace, searched: SearchSpace, dataset: Dataset) -> None:
    if missing := sorted(set(searched.resolutions) - set(own.resolutions)):
        got, remedy = f"resolution {missing[0]} was not trained", "resolutions = […] in the configuration"
        raise BadInput(got, ", ".join(map(str, own.resolutions)), remedy)
    if (dataset.classes, dataset.in_channels) != (own.classes, own.in_channels):
        got = f"data set {dataset.name} of {dataset.classes} classes, {dataset.in_channels} channels"
        raise BadInput(got, f"{own.classes} classes, {own.in_channels} channels, as the supernet")
