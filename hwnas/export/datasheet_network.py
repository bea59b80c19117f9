"""Sections of a datasheet that say what its network is: a space's or another model, its inputs, how images get in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge

from profilers.constraints import Count, Pattern

Size = Annotated[int, Ge(0)]
Sha256 = Annotated[str, Pattern("[0-9a-f]{64}", "64 hexadecimal digits")]


@dataclass(frozen=True)
class SpaceSection:
    """The search space."""

    name: str
    """Its name."""
    signature: str
    """Its identity."""
    classes: Count
    """Classes of the classifier."""


@dataclass(frozen=True)
class TensorSection:
    """An input or output."""

    shape: list[Size]
    """Its dimensions, at the batch that was measured."""
    dtype: str
    """In NumPy's words."""


@dataclass(frozen=True)
class ModelSection:
    """A model that was made elsewhere."""

    source: str
    """The file or the Python object that it was read from."""
    sha256: Sha256
    """Of its ONNX, weights inside, as it was read."""
    opset: Count
    """Version of ONNX's operators."""
    nodes: Size
    """Of its graph."""
    quantised: bool
    """Whether it was int8 before it was exported."""
    parity_of_export: float | None = None
    """Largest difference from torch that writing the ONNX made, relative to the largest value; null without torch."""


@dataclass(frozen=True)
class Preprocessing:
    """What an image must go through, and what the outputs mean."""

    layout: str
    """Order of the axes, and type."""
    size: Count
    """Pixels of a side."""
    channels: Literal[1, 3]
    """1 is grey."""
    mode: str
    """In Pillow's words."""
    mean: list[float]
    """By channel, subtracted from values of 0 to 1."""
    std: list[float]
    """By channel, divided by afterwards."""
    resize: Count
    """Pixels of the shorter side before the crop."""
    crop: float
    """Share of the side that is cut out."""
    interpolation: str
    """Of the resizing."""
    white: float | None
    """Value of white in files of more than 8 bits, where it is known."""
    note: str
    """The same in words."""
    labels: list[str]
    """Names of the classes, in the order of the outputs."""
    outputs: Literal["logits", "probabilities"] = "logits"
    """What the outputs are: values before a softmax, or after one."""
    source: str = ""
    """Where the preprocessing is from; empty where it is the network's own."""
