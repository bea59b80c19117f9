"""Image files as RGB pixels, whatever they hold; what is wrong with a damaged one is said in a few words.

Grey, palette, CMYK and transparent images become RGB as in torchvision's loader (transparency is dropped); 16-bit grey
keeps its upper 8 bits. Only plain image formats are opened: Pillow would also run others' interpreters.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from profilers.errors import FileProblem

FORMATS = ("JPEG", "PNG", "PPM", "BMP", "GIF", "TIFF", "WEBP")  # whatever the suffix says: some published ones lie
SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")  # torchvision's ImageFolder's
REDUCTIONS = (8, 4, 2)

Size = tuple[int, int]  # width, height
Reduction = Callable[[Size], int]

# Pillow warns of an image above its limit and refuses one of twice that; here the first is an error already.
warnings.simplefilter("ignore", Image.DecompressionBombWarning)


class Damaged(Exception):
    """A file that cannot be read as an image; the text says why."""


def whole(_: Size) -> int:
    """No reduction."""
    return 1


def read_image(path: Path, reduction: Reduction = whole) -> tuple[Image.Image, Size]:
    """An RGB image and the width and height that its file has.

    Args:
        path: the file.
        reduction: by how much at most a JPEG of that size may be shrunk (1, 2, 4 or 8) where that saves time.

    Raises:
        Damaged: no image, a truncated one, or one of too many pixels.
        FileProblem: the operating system refuses to read it.
    """
    try:
        with Image.open(path, formats=FORMATS) as image:
            size = image.size
            if (limit := Image.MAX_IMAGE_PIXELS) and size[0] * size[1] > limit:
                raise Damaged(f"{size[0]} x {size[1]} pixels, more than Pillow's limit of {limit}")
            if (by := reduction(size)) > 1:
                image.draft("RGB", (size[0] // by, size[1] // by))
            return _colour(image), size
    except (MemoryError, Damaged):
        raise
    except UnidentifiedImageError as error:
        raise Damaged("no image" if path.stat().st_size else "an empty file") from error
    except FileNotFoundError as error:
        raise Damaged("missing") from error
    except Exception as error:  # whatever Pillow's many readers make of broken bytes
        if isinstance(error, OSError) and error.errno is not None:
            raise FileProblem(
                f"cannot read {path}: {error.strerror}", remedy="check the disk and permissions"
            ) from error
        raise Damaged(str(error) or type(error).__name__) from error


def _colour(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        grey = np.clip(np.asarray(image), 0, 65535).astype(np.uint16) >> 8
        return Image.fromarray(grey.astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise Damaged("pixels are floating-point numbers")
    if "transparency" in image.info:
        image = image.convert("RGBA")  # a palette's transparency is understood only this way
    return image.convert("RGB")
