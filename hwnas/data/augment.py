"""How an image is cut and resized: at random in training, in the centre in evaluation.

    random numbers (n, k), uniform in 0..1: a row an image

Own code and not torchvision's `v2` transforms, which give the same cuts (tested): those draw from one global generator,
whereas here each image's numbers are drawn beforehand, so that threads change nothing, and a cut that is known before a
large JPEG is decoded lets it be decoded smaller.
Sources: RandomResizedCrop and flip: Szegedy et al. 2015, as torchvision's ImageNet reference training and
NSGANetV2's code (scale 0.08 to 1). Padding by an eighth, crop and flip: He et al. 2016, section 4.2, for CIFAR.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from hwnas.data.decode import REDUCTIONS, Size
from hwnas.data.picture import centre

Row = NDArray[np.float64]
Box = tuple[int, int, int, int]  # left, top, right, bottom

_BILINEAR = Image.Resampling.BILINEAR  # antialiased when it shrinks


class View(Protocol):
    """One image's cut."""

    def reduction(self, size: Size) -> int:
        """By how much a file of that size may be shrunk while it is read."""

    def apply(self, image: Image.Image, size: Size) -> Image.Image:
        """(r, r) image, of one whose file has that size."""


class Augment(Protocol):
    """A way to draw views."""

    numbers: ClassVar[int]  # k

    def view(self, row: Row, resolution: int) -> View:
        """The view that k random numbers make."""


@dataclass(frozen=True)
class Centre:
    """Evaluation: the shorter side is resized to resolution / keep, rounded up, and the centre is cut out."""

    resolution: int
    keep: float = 1.0

    def reduction(self, size: Size) -> int:
        """None: evaluation is exact."""
        return 1

    def apply(self, image: Image.Image, size: Size) -> Image.Image:
        """As torchvision's Resize and CenterCrop."""
        return centre(image, self.resolution, self.keep)


@dataclass(frozen=True)
class RandomResizedCrop:
    """A part of the area, within `scale`, of an aspect within `ratio`, resized; mirrored half of the time."""

    scale: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    numbers: ClassVar[int] = 23  # ten attempts of area and aspect, position, mirror

    def view(self, row: Row, resolution: int) -> View:
        """The view that 23 random numbers make."""
        return _ResizedCrop(self, row, resolution)

    def box(self, size: Size, row: Row) -> Box:
        """The part that is cut out; if no attempt fits, the largest central one of an allowed aspect."""
        width, height = size
        for area, aspect in row[:20].reshape(10, 2):
            target = width * height * (self.scale[0] + area * (self.scale[1] - self.scale[0]))
            ratio = self.ratio[0] * (self.ratio[1] / self.ratio[0]) ** aspect
            w, h = round(math.sqrt(target * ratio)), round(math.sqrt(target / ratio))
            if 0 < w <= width and 0 < h <= height:
                left, top = int(row[20] * (width - w + 1)), int(row[21] * (height - h + 1))
                return left, top, left + w, top + h
        w, h = min(width, round(height * self.ratio[1])), min(height, round(width / self.ratio[0]))
        left, top = (width - w) // 2, (height - h) // 2
        return left, top, left + w, top + h


@dataclass(frozen=True)
class _ResizedCrop:
    recipe: RandomResizedCrop
    row: Row
    resolution: int

    def reduction(self, size: Size) -> int:
        left, top, right, bottom = self.recipe.box(size, self.row)
        shortest = min(right - left, bottom - top)
        return next((by for by in REDUCTIONS if shortest >= by * self.resolution), 1)

    def apply(self, image: Image.Image, size: Size) -> Image.Image:
        box = self.recipe.box(size, self.row)
        if image.size != size:  # it was read smaller
            ratios = (image.width / size[0], image.height / size[1]) * 2
            box = tuple(round(edge * ratio) for edge, ratio in zip(box, ratios, strict=True))  # type: ignore[assignment]
        image = image.crop(box).resize((self.resolution, self.resolution), _BILINEAR)
        return ImageOps.mirror(image) if self.row[22] < 0.5 else image


@dataclass(frozen=True)
class PadCrop:
    """Shifted by up to an eighth of each side, black behind; mirrored half of the time; resized."""

    numbers: ClassVar[int] = 3  # two shifts, mirror

    def view(self, row: Row, resolution: int) -> View:
        """The view that 3 random numbers make."""
        return _PaddedCrop(row, resolution)

    @staticmethod
    def corner(size: Size, row: Row) -> tuple[int, int]:
        """Left and top of the crop, in the unpadded image."""
        return tuple(int(x * (2 * (side // 8) + 1)) - side // 8 for side, x in zip(size, row, strict=False))  # type: ignore[return-value]


@dataclass(frozen=True)
class _PaddedCrop:
    row: Row
    resolution: int

    def reduction(self, size: Size) -> int:
        return 1

    def apply(self, image: Image.Image, size: Size) -> Image.Image:
        left, top = PadCrop.corner(image.size, self.row)
        image = image.crop(
            (left, top, left + image.width, top + image.height)
        )  # Pillow fills what is outside with black
        image = image.resize((self.resolution, self.resolution), _BILINEAR)
        return ImageOps.mirror(image) if self.row[2] < 0.5 else image
