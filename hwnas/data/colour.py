"""Data sets of colour images: in memory (`ArrayDataset`) or read from disk when they are asked for (`FileDataset`)."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from hwnas.data.augment import Augment, Centre, PadCrop, RandomResizedCrop, View
from hwnas.data.dataset import Dataset, Indices
from hwnas.data.decode import Damaged, read_image
from hwnas.data.listing import Listing
from hwnas.data.names import one_form
from hwnas.data.picture import normalised, pixels
from hwnas.data.reference import Reference
from hwnas.data.splits import Keys, keys_of
from hwnas.data.threads import in_threads
from profilers.errors import BadInput
from profilers.progress import say

GREY = (0.299, 0.587, 0.114)  # of red, green, blue: ITU-R BT.601, as Pillow's


@dataclass(frozen=True)
class Preparation:
    """Normalisation, augmentation in training, and what evaluation keeps of the resized shorter side."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    augment: Augment
    crop: float


PHOTOS = Preparation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), RandomResizedCrop(), 0.875)  # ImageNet's statistics
# CIFAR-10's statistics, and the augmentation of He et al. 2016 for 32 x 32 images
CIFAR = Preparation((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616), PadCrop(), 1.0)


class ColourDataset(Dataset):
    """RGB images, or grey ones made of them where the reference says channels=1.

    Args:
        reference: of the data set; its text is the name.
        labels: (n,) by split.
        class_names: in the order of the labels.
        preparation: of its images.
    """

    def __init__(
        self,
        reference: Reference,
        labels: Mapping[str, NDArray[np.int64]],
        class_names: Sequence[str],
        preparation: Preparation,
    ) -> None:
        self.reference, self.preparation = reference, preparation
        self.class_names, self.splits = tuple(class_names), tuple(labels)
        self.crop, self.white = preparation.crop, reference.white or None
        self._labels = {split: torch.from_numpy(np.asarray(values, np.int64)) for split, values in labels.items()}
        self._set_channels(reference.channels or 3)

    def _set_channels(self, channels: int) -> None:
        """Grey's mean is exact, its standard deviation that of fully correlated colours."""
        self.name, self.in_channels = str(self.reference), channels
        self.mean, self.std = self.preparation.mean, self.preparation.std
        if channels == 1:
            self.mean, self.std = ((round(float(np.dot(GREY, v)), 4),) for v in (self.mean, self.std))

    def with_channels(self, channels: int) -> Dataset:
        """The same images in grey for `channels` 1."""
        if channels != 1 or self.in_channels == 1:
            return super().with_channels(channels)
        grey = copy.copy(self)
        grey.reference = replace(self.reference, channels=1)
        grey._set_channels(1)
        say(f"hwnas: the colour images of {self.name} are converted to grey, as the network takes")
        return grey

    def labels(self, split: str) -> Tensor:
        """(n,) int64 labels of a split."""
        if split not in self._labels:
            raise self._unknown(split)
        return self._labels[split]


class ArrayDataset(ColourDataset):
    """Small images, (n, 3, h, w) uint8 by split, all of them in memory; shifted and mirrored in training."""

    def __init__(
        self,
        reference: Reference,
        images: Mapping[str, NDArray[np.uint8]],
        labels: Mapping[str, NDArray[np.int64]],
        class_names: Sequence[str],
        preparation: Preparation,
    ) -> None:
        super().__init__(reference, labels, class_names, preparation)
        self._images = {split: torch.from_numpy(np.ascontiguousarray(values)) for split, values in images.items()}

    def keys(self, split: str) -> Keys:
        """(n,) a number of each image, by its pixels."""
        return keys_of(image.tobytes() for image in self._images[split].numpy())

    def batch(
        self, split: str, indices: Indices, resolution: int, augment: np.random.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Images (n, C, r, r), resized bilinearly (antialiased), and labels (n,)."""
        labels = self.labels(split)[indices]
        images = self._images[split][indices]
        if augment is not None:
            images = _shift(images, augment.random((len(indices), PadCrop.numbers)))
        images = images.float() / 255
        if self.in_channels == 1:
            images = (images * torch.tensor(GREY).view(1, 3, 1, 1)).sum(1, keepdim=True)
        size = (resolution, resolution)
        images = F.interpolate(images, size, mode="bilinear", antialias=True, align_corners=False)
        mean, std = (torch.tensor(v).view(1, -1, 1, 1) for v in (self.mean, self.std))
        return ((images - mean) / std).contiguous(), labels


def _shift(images: Tensor, rows: NDArray[np.float64]) -> Tensor:
    """`PadCrop` of (n, 3, h, w) images, before they are resized."""
    n, _, h, w = images.shape
    left, top = (torch.from_numpy(v) for v in np.array([PadCrop.corner((w, h), row) for row in rows]).T)
    x = left[:, None] + torch.arange(w)  # (n, w)
    x = torch.where(torch.from_numpy(rows[:, 2] < 0.5)[:, None], x.flip(1), x)
    y = top[:, None] + torch.arange(h)
    padded = F.pad(images, (w // 8, w // 8, h // 8, h // 8))
    picked = padded[torch.arange(n)[:, None, None], :, y[:, :, None] + h // 8, x[:, None, :] + w // 8]
    return picked.permute(0, 3, 1, 2)


class FileDataset(ColourDataset):
    """Image files, read and decoded in threads; `left_out` are damaged ones that are in no listing."""

    lazy = True

    def __init__(
        self,
        reference: Reference,
        root: Path,
        listings: Mapping[str, Listing],
        class_names: Sequence[str],
        preparation: Preparation,
        left_out: Mapping[str, str],
    ) -> None:
        super().__init__(reference, {s: x.labels for s, x in listings.items()}, class_names, preparation)
        self.root, self.left_out = root, left_out
        self._files = {split: listing.files for split, listing in listings.items()}

    def keys(self, split: str) -> Keys:
        """(n,) a number of each image, by its file's name."""
        return keys_of(os.fsencode(one_form(name)) for name in self._files[split])

    def batch(
        self, split: str, indices: Indices, resolution: int, augment: np.random.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Images (n, C, r, r) and labels (n,); BadInput names an image that cannot be decoded."""
        labels, files = self.labels(split)[indices], self._files[split]
        views: list[View] = [Centre(resolution, self.crop)] * len(indices)
        if augment is not None:
            recipe = self.preparation.augment
            views = [recipe.view(row, resolution) for row in augment.random((len(indices), recipe.numbers))]
        work = zip((files[i] for i in indices), views, strict=True)
        values = np.stack(list(in_threads(self._read, work)))  # (n, r, r, C) uint8
        return torch.from_numpy(normalised(values, self.mean, self.std)), labels

    def _read(self, item: tuple[str, View]) -> NDArray[np.uint8]:
        name, view = item
        try:
            image, size = read_image(self.root / name, view.reduction, self.white)
        except Damaged as error:
            remedy = f'remove it, or dataset = "{replace(self.reference, damaged="skip")}"'
            raise BadInput(f"damaged image {self.root / name}: {error}", "an intact one", remedy) from error
        return pixels(view.apply(image, size), self.in_channels)
