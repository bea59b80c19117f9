"""Accuracy by inherited weights: extract, recalibrate BatchNorm, fine-tune if wanted, validate.

Source: NSGANetV2, section 3.4 and section 4, "Search": no or five epochs of fine-tuning, held-out training images.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hwnas.data import BatchRequest, Dataset, get_dataset
from hwnas.nets import Network
from hwnas.nets.checkpoint import Provenance, open_supernet, save_network
from hwnas.nets.supernet import with_new_classifier
from hwnas.space import Architecture, SearchSpace
from hwnas.train.config import Recipe
from hwnas.train.distributed import Group, pick_device
from hwnas.train.evaluate import BATCH, CALIBRATION, Batches, calibration_batches, evaluate, recalibrate
from hwnas.train.one_network import finetune
from hwnas.train.optimise import torch_threads
from profilers.errors import BadInput, check_least, shown

_KEEP = 2**28  # bytes of validation images that stay in memory for each resolution
_VIEW_SEED = 20
_FEW = 640  # training images below which batches of fine-tuning are smaller


class SupernetAccuracy:
    """Validates networks of a supernet.

    Args:
        path: a supernet of `hwnas train supernet`, or one that once-for-all published.
        space: the space that is searched.
        dataset: by default the one that the supernet was trained on.
        split: of the data set.
        views: how many distorted copies of each validation image are judged beside the image itself; by default what
            the data set says. A few hundred small images alone leave most networks tied.
        images: of the split, on which each network is judged during a search: the same ones, with the classes in the
            split's proportions; by default all. The networks of the final front are then judged on all.
        calibration: training images for BatchNorm's statistics.
        finetune_epochs: of training before validation. A data set with other classes than the supernet's needs some:
            its classifier starts at random; five are the paper's protocol.
        finetune_lr: learning rate of this training after its warm-up of 5 % of the steps; a cosine leads it to zero.
        finetune_batch: images of its steps; by default 64, or 16 of fewer than 640 training images.
        precision: of this training's products: fp32, bf16 or fp16.
        threads: torch's; 0 leaves its default.
        device: "cpu", "cuda" or "auto".

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
        images: int | None = None,
        calibration: int = CALIBRATION,
        finetune_epochs: int = 0,
        finetune_lr: float = 0.02,
        finetune_batch: int | None = None,
        precision: str = "fp32",
        threads: int = 1,
        device: str = "auto",
    ) -> None:
        self.path = path
        self.supernet, provenance = open_supernet(path, space)
        name = dataset or (provenance.dataset if provenance else None)
        if name is None:
            raise BadInput(f"{path} names no data set", "an option dataset", 'dataset = "NAME" in [evaluate]')
        if finetune_batch is not None and finetune_batch < 2:
            raise BadInput(f"finetune_batch {finetune_batch}", "2 or more")
        if calibration < 2 or min(views or 0, finetune_epochs, threads) < 0:
            got = f"calibration {calibration}, views {views}, finetune_epochs {finetune_epochs}, threads {threads}"
            raise BadInput(got, "calibration 2 or more, the others 0 or more")
        check_least(0, finetune_lr=finetune_lr)
        self.dataset = get_dataset(name).with_channels(space.in_channels)
        batch = finetune_batch or (64 if self.dataset.size("train") >= _FEW else 16)
        self.space, self.group = space, Group(device=pick_device(device))
        self.recipe = Recipe(batch=batch, precision=precision)
        _check(path, self.supernet.space, space, self.dataset, finetune_epochs)
        self.dataset.labels(split)  # an unknown split is refused now, not at the first network
        self.split, self.calibration = split, calibration
        self._part = _part(images, self.dataset, split)
        self.images = images or self.dataset.size(split)  # distorted copies say little that the image does not
        self.views = self.dataset.views if views is None else views
        self.finetune_epochs, self.finetune_lr, self.threads = finetune_epochs, finetune_lr, threads
        self._kept = lru_cache(maxsize=8)(lambda resolution: tuple(self._validation(resolution)))

    def evaluate(self, arch: Architecture, keep: Path | None = None) -> float:
        """Top-1 in percent over the images and their distorted copies; the same for the same architecture.

        Args:
            arch: the network.
            keep: a file that it is written to, with the weights that are judged.

        Raises:
            BadInput: an architecture outside the supernet's space.
            Diverged: a fine-tuning whose loss, or a network whose answers, are no numbers.
        """
        network = self.network(arch)
        top1 = self.judge(network)
        if keep is not None:
            save_network(keep, network, self.space, self._provenance())
        return top1

    def network(self, arch: Architecture) -> Network:
        """What is judged: inherited, fine-tuned if wanted, with recalibrated BatchNorm; raises as `evaluate`."""
        with torch_threads(self.threads):
            network = with_new_classifier(self.supernet, arch, self.space.classes)
            network.to(self.group.device).to(memory_format=torch.channels_last)
            if self.finetune_epochs:
                options: dict[str, Any] = {
                    "epochs": self.finetune_epochs,
                    "lr": self.finetune_lr,
                    "recipe": self.recipe,
                }
                finetune(network, self.dataset, **options, group=self.group)
            recalibrate(network, calibration_batches(self.dataset, arch.r, self.calibration))
        return network

    def judge(self, network: Network) -> float:
        """Top-1 in percent of a network as it is."""
        assert network.arch is not None
        with torch_threads(self.threads):
            return evaluate(network, self._batches(network.arch.r))

    def validate(self, network: Network) -> float:
        """Top-1 in percent of any network of the space, with recalibrated BatchNorm."""
        assert network.arch is not None
        recalibrate(network, calibration_batches(self.dataset, network.arch.r, self.calibration))
        return self.judge(network)

    def _provenance(self) -> Provenance:
        options: dict[str, Any] = {"epochs": self.finetune_epochs, "lr": self.finetune_lr}
        options |= {"batch": self.recipe.batch, "precision": self.recipe.precision}
        training = {"supernet": self.path.name, "finetune": options, "calibration": self.calibration}
        return Provenance(self.dataset.name, self.dataset.mean, self.dataset.std, training)

    def _batches(self, resolution: int) -> Batches:
        """Validation images and their copies; small sets are made once for each resolution."""
        count = self.images * (1 + self.views)
        small = 4 * count * self.dataset.in_channels * resolution**2 <= _KEEP
        return self._kept(resolution) if small else self._validation(resolution)

    def _validation(self, resolution: int) -> Batches:
        rng = np.random.default_rng(_VIEW_SEED)
        size = self.dataset.size(self.split)
        order = np.arange(size) if self._part is None else self.dataset.sample(self.split, self._part)
        parts = [order[i : i + BATCH] for i in range(0, len(order), BATCH)]
        augment = [None] + [rng] * self.views
        return self.dataset.prefetch(self.split, (BatchRequest(part, resolution, a) for a in augment for part in parts))


def extract(path: Path, space: SearchSpace, arch: Architecture) -> tuple[Network, Provenance | None]:
    """`arch` with the weights and statistics of a supernet's file, and where that comes from (None: once-for-all).

    BadInput if the supernet is of another space or number of classes, or was not trained at this resolution.
    """
    supernet, provenance = open_supernet(path, space)
    if supernet.space.classes != space.classes:
        got, remedy = f"{path} has {supernet.space.classes} classes", "hwnas train finetune, then export its result"
        raise BadInput(got, f"{space.classes}, as the network", remedy)
    return supernet.extract(arch).eval(), provenance


def inherit(path: Path, space: SearchSpace, arch: Architecture, dataset: str | None = None) -> tuple[Network, Dataset]:
    """`arch` with the weights of a supernet's file and recalibrated BatchNorm, and the data set that it is for.

    Args:
        path: the supernet.
        space: of the network.
        arch: the network.
        dataset: by default the one that the supernet was trained on.

    Raises:
        BadInput: as of `extract`; no data set, as for once-for-all's supernets, or one of other classes.
    """
    network, provenance = extract(path, space, arch)
    name = dataset or (provenance.dataset if provenance else None)
    if name is None:
        got = f"{path} names no data set, and a network of it needs BatchNorm statistics of its own"
        raise BadInput(got, "--dataset imagenet:DIR, --images DIR, or --no-recalibration")
    data = get_dataset(name).with_channels(space.in_channels)
    if data.classes != space.classes:
        raise BadInput(f"data set {name} of {data.classes} classes", f"{space.classes}, as the network")
    with torch_threads(1):  # as the search does, so that the weights are the same to the last digit
        recalibrate(network, calibration_batches(data, arch.r))
    return network, data


def _part(images: int | None, dataset: Dataset, split: str) -> int | None:
    """How many images of the split are judged, None for all; BadInput unless that is a part of them."""
    most = dataset.size(split) - 1
    if images is not None and not (isinstance(images, int) and not isinstance(images, bool) and 1 <= images <= most):
        got = f"images = {shown(images)} of {most + 1} in split {split} of {dataset.name}"
        raise BadInput(got, f"1 to {most}; without it all are judged")
    return images


def _check(path: Path, own: SearchSpace, searched: SearchSpace, dataset: Dataset, finetune_epochs: int) -> None:
    if missing := sorted(set(searched.resolutions) - set(own.resolutions)):
        got, remedy = f"resolution {missing[0]} was not trained", "resolutions = […] in the configuration"
        raise BadInput(got, ", ".join(map(str, own.resolutions)), remedy)
    if dataset.classes != searched.classes:
        got, remedy = f"data set {dataset.name} of {dataset.classes} classes", f"classes = {dataset.classes}"
        raise BadInput(got, f"{searched.classes}, as the space", remedy)
    if own.classes != searched.classes and not finetune_epochs:
        got = f"a supernet of {own.classes} classes without fine-tuning"
        trained = (
            f'init = "{path}" and phases with head = true in the file of hwnas train supernet, and its result here'
        )
        raise BadInput(
            got, f"{searched.classes} classes, as the space", f"finetune_epochs = 5 in [evaluate], or {trained}"
        )
