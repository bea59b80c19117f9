"""Images to calibrate int8 with: the data set's, or the user's own.

images (n, C, r, r) float32, normalised as the network wants them
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hwnas.export.parity import Floats
from profilers.errors import BadInput, FileProblem
from profilers.files import read_bytes

if TYPE_CHECKING:
    from hwnas.data import Dataset

CALIBRATION, HELD_OUT = 256, 512
FEWEST = 8


@dataclass(frozen=True)
class Calibration:
    """`images` set the ranges, `held_out` show how many classes change; `source` names them."""

    images: Floats
    held_out: Floats
    source: str


def images_of_dataset(dataset: Dataset, size: int) -> Calibration:
    """Training images, and validation images to judge by."""
    images = dataset.images("train", size, CALIBRATION).numpy()
    held_out = dataset.images("val", size, HELD_OUT).numpy()
    return Calibration(images, held_out, f"{len(images)} training images of {dataset.name}")


def images_of_path(path: Path, preprocessing: Mapping[str, Any]) -> Calibration:
    """The user's: a folder of image files, or an .npz whose "images" are (n, C, r, r), normalised already.

    Which of them set the ranges and which are held out (a quarter or more) does not depend on their order: a folder is
    sampled folder by folder in proportion, for those are usually the classes.

    Raises:
        BadInput: fewer than eight images, another shape, or a file that is no image.
    """
    images = _array(path, preprocessing) if path.suffix == ".npz" else _folder(path, preprocessing)
    if len(images) < FEWEST:
        raise BadInput(f"{len(images)} calibration images in {path}", f"{FEWEST} or more, some hundred are good")
    count = min(CALIBRATION, len(images) - len(images) // 4)
    return Calibration(images[:count], images[count : count + HELD_OUT], f"{count} images of {path}")


def _array(path: Path, preprocessing: Mapping[str, Any]) -> Floats:
    shape = (preprocessing["channels"], preprocessing["size"], preprocessing["size"])
    try:
        with np.load(io.BytesIO(read_bytes(path)), allow_pickle=False) as stored:
            images = np.asarray(stored["images"], np.float32)
    except (ValueError, OSError, EOFError, KeyError) as error:
        raise BadInput(f'{path} has no array "images": {error}', f"(n, {shape[0]}, {shape[1]}, {shape[2]})") from error
    if images.ndim != 4 or images.shape[1:] != shape or not np.isfinite(images).all():
        raise BadInput(f"images of shape {images.shape} in {path}", f"(n, {shape[0]}, {shape[1]}, {shape[2]}), finite")
    chosen: Floats = images[_sample([image.tobytes() for image in images], np.zeros(len(images), np.int64))]
    return chosen


def _folder(path: Path, preprocessing: Mapping[str, Any]) -> Floats:
    from hwnas.data.decode import SUFFIXES

    if not path.is_dir():
        raise BadInput(f"{path} is no folder", "a folder of images, or an .npz")
    files = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    names = [os.fsencode(p.relative_to(path)) for p in files]
    folders = np.unique([str(p.parent) for p in files], return_inverse=True)[1]
    shape = (0, preprocessing["channels"], preprocessing["size"], preprocessing["size"])
    images = [_read(files[i], preprocessing) for i in _sample(names, folders)]
    return np.concatenate([np.zeros(shape, np.float32), *images])


def _sample(contents: list[bytes], labels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """As many indices as are used, by what the images are and not by their order."""
    from hwnas.data.splits import keyed_order, keys_of

    return keyed_order(labels, keys_of(contents))[: CALIBRATION + HELD_OUT]


def _read(path: Path, preprocessing: Mapping[str, Any]) -> Floats:
    """(1, C, r, r): one image as `run.py` prepares it."""
    from hwnas.data.picture import Damaged, prepare

    try:
        found: Floats = prepare(path, preprocessing)
    except Damaged as error:
        raise BadInput(f"{path} is no image to calibrate with: {error}", "an intact one", "remove it") from error
    except OSError as error:
        raise FileProblem(f"cannot read {path}: {error.strerror}", remedy="check the disk and permissions") from error
    return found
