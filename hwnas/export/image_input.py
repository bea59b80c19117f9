"""Models made elsewhere that classify images: how they are told from others, and how an image becomes their input.

A classifier has one input of four dimensions, of which two are equal and one is 1 or 3, and one output (N, classes).
What its images must go through is in no ONNX file. It comes from the user (`--preprocessing`), or from the torch module
(timm's `pretrained_cfg`, or `transforms` that somebody has put there, such as torchvision's `weights.transforms()`);
else it is ImageNet's, and a warning says so.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from annotated_types import Gt, Interval, Len

from hwnas.export.item import STEPS
from profilers.errors import BadInput, HwnasError
from profilers.files import read_json, read_text
from profilers.onnx.model import OnnxModel
from profilers.validation import validate

FLOATS = ("float32", "float16")
ASSUMED = (
    "how its images must be prepared is not known: {what} (--preprocessing {option}) is assumed, and accuracy and "
    "run.py are right only if it is so"
)
Values = Annotated[list[float], Len(1, 3)]
Deviations = Annotated[list[Annotated[float, Gt(0)]], Len(1, 3)]


class ImageAxes(NamedTuple):
    """The input's name, type, order of axes ("NCHW" or "NHWC"), channels, pixels of a side; and the classes."""

    name: str
    dtype: str
    order: str
    channels: int
    size: int
    classes: int


@dataclass(frozen=True)
class Preparation:
    """What a file of `--preprocessing` holds: values of 0 to 1 have the mean subtracted and are divided by std."""

    mean: Values
    """By channel; one for all of them."""
    std: Deviations
    """By channel; one for all of them."""
    crop: Annotated[float, Interval(gt=0, le=1)] = 1.0
    """Share of the resized shorter side that is cut out of the centre."""
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    """Of the resizing."""


KNOWN = {
    "imagenet": Preparation([0.485, 0.456, 0.406], [0.229, 0.224, 0.225], 0.875),
    "none": Preparation([0.0], [1.0]),
}
BYTES = Preparation([0.0], [1 / 255])


def image_axes(model: OnnxModel) -> tuple[ImageAxes | None, str]:
    """Of a pinned model that classifies images; else None, and why it is none."""
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        return None, f"the model has {len(model.inputs)} inputs and {len(model.outputs)} outputs, a classifier one each"
    (entry,), (exit_,) = model.inputs.values(), model.outputs.values()
    out = exit_.dims or ()
    if len(out) != 2 or not isinstance(out[1], int) or out[1] < 2 or exit_.dtype not in FLOATS:
        return None, f"its output {exit_.name} ({exit_.text}) is not (N, classes)"
    if entry.dtype not in (*FLOATS, "uint8") or entry.dims is None or len(entry.dims) != 4:
        return None, f"its input {entry.name} ({entry.text}) is no image"
    _, *rest = entry.shape
    for order, (channels, *sides) in (("NCHW", rest), ("NHWC", [rest[2], *rest[:2]])):
        if channels in (1, 3) and sides[0] == sides[1]:
            return ImageAxes(entry.name, entry.dtype, order, channels, sides[0], out[1]), ""
    return None, f"its input {entry.name} ({entry.text}) is no square image of 1 or 3 channels"


def preparation(
    option: str | None, module: Any, axes: ImageAxes, written: Mapping[str, str] | None = None
) -> tuple[Preparation, str, str]:
    """How images are prepared, where that is from, and a warning or "".

    Args:
        option: a name of `KNOWN`, or a JSON file; None where the user said nothing.
        module: the torch module, where there is one.
        axes: of the input.
        written: metadata of the ONNX, where exported models have it.

    Raises:
        BadInput: no such name, or a file that holds something else. FileProblem: it cannot be read.
    """
    if option is not None:
        return _chosen(option), f"--preprocessing {option}", ""
    if (own := _of_module(module, axes.size)) is not None:
        return own, "the module's own", ""
    if (stated := _of_metadata(written or {})) is not None:
        return stated, "the ONNX file's metadata", ""
    if axes.dtype == "uint8":
        return BYTES, "the input's type: bytes as they are", ""
    if axes.channels == 1:
        return KNOWN["none"], "assumed", ASSUMED.format(what="values of 0 to 1", option="none")
    return KNOWN["imagenet"], "assumed", ASSUMED.format(what="as for ImageNet", option="imagenet")


def _chosen(option: str) -> Preparation:
    if option in KNOWN:
        return KNOWN[option]
    path = Path(option)
    if path.suffix != ".json":
        raise BadInput(
            f"--preprocessing {option}", f"{', '.join(KNOWN)}, or FILE.json with mean, std, crop, interpolation"
        )
    return validate(Preparation, read_json(path), str(path))


def _of_module(module: Any, size: int) -> Preparation | None:
    """Timm's `pretrained_cfg`, or the attribute `transforms` in the form of torchvision's presets."""
    try:
        if (preset := getattr(module, "transforms", None)) is not None:
            (resize,) = preset.resize_size
            mode = str(getattr(preset.interpolation, "value", preset.interpolation))
            return _checked(preset.mean, preset.std, size / max(resize, size), mode)
        cfg = getattr(module, "pretrained_cfg", None) or getattr(module, "default_cfg", None)
        if cfg:
            resize = math.floor(size / float(cfg.get("crop_pct") or 0.875))
            return _checked(cfg["mean"], cfg["std"], size / max(resize, size), str(cfg.get("interpolation")))
    except (AttributeError, LookupError, TypeError, ValueError, HwnasError):  # whatever a module keeps there
        return None
    return None


def _of_metadata(written: Mapping[str, str]) -> Preparation | None:
    """What a `model.onnx` that was exported here says of itself."""
    try:
        how = json.loads(written["preprocessing"])
        return _checked(how["mean"], how["std"], float(how["crop"]), str(how["interpolation"]))
    except (LookupError, TypeError, ValueError, RecursionError, HwnasError):  # whatever a file holds there
        return None


def stated_labels(written: Mapping[str, str], classes: int) -> list[str] | None:
    """The names of the outputs by such metadata; None where there are none, or not as many."""
    try:
        names = json.loads(written["labels"])
    except (LookupError, ValueError, RecursionError):
        return None
    fits = isinstance(names, list) and len(names) == classes and all(isinstance(n, str) and n for n in names)
    return names if fits else None


def _checked(mean: Sequence[float], std: Sequence[float], crop: float, interpolation: str) -> Preparation:
    word = "bicubic" if "bicubic" in interpolation else "bilinear"
    value = {"mean": [*map(float, mean)], "std": [*map(float, std)], "crop": crop, "interpolation": word}
    return validate(Preparation, value, "the module's preprocessing")


def read_labels(path: Path | None, classes: int) -> list[str]:
    """A name for each output: a file's lines, or numbers; BadInput for another number of them."""
    if path is None:
        return [str(i) for i in range(classes)]
    names = [line.strip() for line in read_text(path).splitlines()]
    names = names[:-1] if names and not names[-1] else names
    if len(names) != classes or not all(names):
        empty = " (some are empty)" if not all(names) else ""
        raise BadInput(f"{len(names)} lines in {path}{empty}", f"{classes}, one for each output, in their order")
    return names


def section(axes: ImageAxes, how: Preparation, labels: Sequence[str], outputs: str, source: str) -> dict[str, Any]:
    """The datasheet's section "preprocessing"."""
    resize = math.ceil(round(axes.size / how.crop, 6))
    return {
        "layout": f"{axes.order}, {axes.dtype}",
        "size": axes.size,
        "channels": axes.channels,
        "mode": "L" if axes.channels == 1 else "RGB",
        "mean": _each(how.mean, axes),
        "std": _each(how.std, axes),
        "resize": resize,
        "crop": how.crop,
        "interpolation": f"{how.interpolation}, antialiased",
        "white": None,
        "note": STEPS.format(resize=resize, r=axes.size),
        "labels": list(labels),
        "outputs": outputs,
        "source": source,
    }


def _each(values: Sequence[float], axes: ImageAxes) -> list[float]:
    found = list(values) * axes.channels if len(values) == 1 else list(values)
    if len(found) != axes.channels:
        raise BadInput(f"preprocessing of {len(found)} channels", f"{axes.channels}, as the model takes, or one value")
    return found


def kind_of_outputs(outputs: Mapping[str, Any]) -> str:
    """Whether the answers of a reference are "probabilities" (of sum 1 in each row), or "logits"."""
    import numpy as np

    (values,) = outputs.values()
    rows = np.asarray(values, np.float64)
    tolerance = 1e-2 if values.dtype == np.float16 else 1e-4
    good = (rows >= 0).all() and np.abs(rows.sum(1) - 1).max(initial=0) < tolerance
    return "probabilities" if good else "logits"
