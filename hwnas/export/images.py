"""Images to calibrate int8 with: the data set's, or the user's own.

images (n, C, r, r) float32, normalised as the network wants them
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hwnas.export.check import Floats
from profilers.errors import BadInput, EngineUnavailable
from profilers.files import read_bytes

if TYPE_CHECKING:
    from hwnas.data import Dataset

CALIBRATION, HELD_OUT = 256, 512
FEWEST = 8
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")


@dataclass(frozen=True)
class Calibration:
    """`images` set the ranges, `held_out` show how many classes change; `source` names them."""

    images: Floats
    held_out: Floats
    source: str


def of_dataset(dataset: Dataset, size: int) -> Calibration:
    """Training images, and validation images to judge by."""
    images = dataset.images("train", size, CALIBRATION).numpy()
    held_out = dataset.images("val", size, HELD_OUT).numpy()
    return Calibration(images, held_out, f"{len(images)} training images of {dataset.name}")


def of_path(path: Path, preprocessing: Mapping[str, Any]) -> Calibration:
    """The user's: a folder of image files, or an .npz whose "images" are (n, C, r, r), normalised already.

    Every fourth is held out.

    Raises:
        BadInput: fewer than eight images, another shape, or a file that is no image.
    """
    images = _array(path, preprocessing) if path.suffix == ".npz" else _folder(path, preprocessing)
    if len(images) < FEWEST:
        raise BadInput(f"{len(images)} calibration images in {path}", f"{FEWEST} or more, some hundred are good")
    held = np.arange(len(images)) % 4 == 3
    return Calibration(images[~held][:CALIBRATION], images[held][:HELD_OUT], f"images of {path}")


def _array(path: Path, preprocessing: Mapping[str, Any]) -> Floats:
    shape = (preprocessing["channels"], preprocessing["size"], preprocessing["size"])
    try:
        with np.load(io.BytesIO(read_bytes(path)), allow_pickle=False) as stored:
            images = np.asarray(stored["images"], np.float32)
    except (ValueError, OSError, EOFError, KeyError) as error:
        raise BadInput(f'{path} has no array "images": {error}', f"(n, {shape[0]}, {shape[1]}, {shape[2]})") from error
    if images.ndim != 4 or images.shape[1:] != shape or not np.isfinite(images).all():
        raise BadInput(f"images of shape {images.shape} in {path}", f"(n, {shape[0]}, {shape[1]}, {shape[2]}), finite")
    return images


def _folder(path: Path, preprocessing: Mapping[str, Any]) -> Floats:
    if not path.is_dir():
        raise BadInput(f"{path} is no folder", "a folder of images, or an .npz")
    files = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES)
    chosen = [files[i] for i in np.linspace(0, len(files) - 1, min(len(files), 2 * CALIBRATION)).astype(int)]
    shape = (0, preprocessing["channels"], preprocessing["size"], preprocessing["size"])
    return np.stack([_read(p, preprocessing) for p in chosen]) if chosen else np.zeros(shape, np.float32)


def _read(path: Path, preprocessing: Mapping[str, Any]) -> Floats:
    """One image as `run.py` prepares it."""
    try:
        from PIL import Image, ImageOps, UnidentifiedImageError
    except ImportError as error:
        raise EngineUnavailable(
            "Pillow is not installed, so images cannot be read", remedy="pip install pillow"
        ) from error
    size, channels = preprocessing["size"], preprocessing["channels"]
    try:
        with Image.open(path) as file:
            image = file.convert(preprocessing["mode"])
        image = ImageOps.fit(image, (size, size), Image.Resampling.BILINEAR, preprocessing["bleed"])
    except (UnidentifiedImageError, OSError) as error:
        raise BadInput(f"{path} is no image: {error}", ", ".join(SUFFIXES)) from error
    pixels = np.asarray(image, np.float32).reshape(size, size, channels) / 255
    normal = (pixels - np.array(preprocessing["mean"])) / np.array(preprocessing["std"])
    return np.ascontiguousarray(normal.transpose(2, 0, 1), np.float32)
