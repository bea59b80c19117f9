"""What int8 is calibrated with: images of the data set or of the user's own, or arrays for a model of any inputs.

images (n, C, r, r) float32, normalised as the network wants them      runs  feeds of batch 1
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hwnas.export.exportable import Floats, Tensors
from hwnas.export.labelled import read_input
from profilers.arrays import read_arrays
from profilers.base import Feeds, Tensor
from profilers.errors import BadInput

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


@dataclass(frozen=True)
class CalibrationRuns:
    """The same for a model of any inputs."""

    runs: Sequence[Feeds]
    held_out: Sequence[Feeds]
    source: str


def runs_of_path(path: Path, inputs: Tensors, preprocessing: Mapping[str, Any] | None) -> CalibrationRuns:
    """The user's, for any model: a folder of images where it takes one, or an .npz with an array (n, …) for each input.

    A row of an array has the input's shape, with or without its batch of 1.

    Raises:
        BadInput: fewer than eight, an array that is missing or does not fit; a folder where the model takes no image.
    """
    if path.suffix == ".npz":
        found = _arrays(path, inputs)
    elif preprocessing is None:
        raise BadInput(f"--calibration {path} for a model that takes no image", f"FILE.npz with {', '.join(inputs)}")
    else:
        (name,) = inputs
        found = [{name: image} for image in _images(path, preprocessing)]
    if len(found) < FEWEST:
        raise BadInput(f"{len(found)} calibration inputs in {path}", f"{FEWEST} or more, some hundred are good")
    count = min(CALIBRATION, len(found) - len(found) // 4)
    return CalibrationRuns(found[:count], found[count : count + HELD_OUT], str(path))


def _arrays(path: Path, inputs: Tensors) -> list[Feeds]:
    """One run for each row, in an order that is not the file's."""
    arrays = read_arrays(path, inputs)
    rows = {name: _rows(name, values, inputs[name], path) for name, values in arrays.items()}
    counts = {len(values) for values in rows.values()}
    if len(counts) != 1:
        raise BadInput(f"arrays of {', '.join(map(str, sorted(counts)))} rows in {path}", "as many for each input")
    contents = [b"".join(values[i].tobytes() for values in rows.values()) for i in range(counts.pop())]
    order = _sample(contents, np.zeros(len(contents), np.int64))
    return [{name: values[i] for name, values in rows.items()} for i in order]


def _rows(name: str, values: np.ndarray[Any, Any], tensor: Tensor, path: Path) -> np.ndarray[Any, Any]:
    """(n, *shape of the input)."""
    shape = tensor.shape
    fits = values.shape[1:] == shape or (shape[:1] == (1,) and values.shape[1:] == shape[1:])
    if not values.ndim or not fits or not np.can_cast(values.dtype, tensor.dtype, "same_kind"):
        got = f"array {name} of shape {values.shape} and type {values.dtype} in {path}"
        raise BadInput(got, f"(n, {', '.join(map(str, shape))}) of {tensor.dtype}")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise BadInput(f"array {name} in {path} is not finite", "finite values")
    return values.reshape(len(values), *shape).astype(tensor.dtype)


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
    images = read_arrays(path, ["images"])["images"].astype(np.float32)
    if images.ndim != 4 or images.shape[1:] != shape or not np.isfinite(images).all():
        raise BadInput(f"images of shape {images.shape} in {path}", f"(n, {shape[0]}, {shape[1]}, {shape[2]}), finite")
    chosen: Floats = images[_sample([image.tobytes() for image in images], np.zeros(len(images), np.int64))]
    return chosen


def _folder(path: Path, preprocessing: Mapping[str, Any]) -> Floats:
    shape = (0, preprocessing["channels"], preprocessing["size"], preprocessing["size"])
    return np.concatenate([np.zeros(shape, np.float32), *_images(path, preprocessing)])


def _images(path: Path, preprocessing: Mapping[str, Any]) -> list[np.ndarray[Any, Any]]:
    """Rows (1, …) of the input."""
    from hwnas.data.listing import Folder
    from hwnas.data.names import one_form
    from hwnas.data.reference import folder_reference

    folder = Folder.of(folder_reference(path))
    if not folder.root.is_dir():
        raise BadInput(f"{path} is no folder", "a folder of images, or an .npz")
    names = folder.images()
    folder.passed.say(path)
    folders = np.unique([os.path.dirname(name) for name in names], return_inverse=True)[1]  # noqa: PTH120
    order = _sample([os.fsencode(one_form(name)) for name in names], folders)
    return [read_input(folder.root / names[i], preprocessing) for i in order]


def _sample(contents: list[bytes], labels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """As many indices as are used, by what the images are and not by their order."""
    from hwnas.data.splits import keyed_order, keys_of

    return keyed_order(labels, keys_of(contents))[: CALIBRATION + HELD_OUT]
