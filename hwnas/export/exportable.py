"""What an export asks of a network, wherever it is from: its ONNX, a reference to compare with, what is known of it.

    feeds    arrays by input's name: those of one run, or rows along the first axis, which are run in batches
    outputs  likewise, by output's name      rows  (n, …) of the only input, such as images

`hwnas.export.item.ExportItem` is a network of a search space, `hwnas.export.model_item.ModelItem` any other model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hwnas.export.quantity import Quantity
from profilers.base import Feeds, Options, Session, Tensor, TorchModel
from profilers.onnx.quantise import QuantConfig

FLOAT = "fp32"  # what engines compute in where nothing else is asked for
Values = NDArray[Any]
Floats = NDArray[np.float32]
Outputs = Mapping[str, Values]
Labels = NDArray[np.int64]
Tensors = Mapping[str, Tensor]


@dataclass(frozen=True)
class Reference:
    """Answers that are right by definition; `name` says whose, as in "torch"."""

    name: str
    answer: Callable[[Feeds], Outputs]


@dataclass(frozen=True)
class Checks:
    """What engine and reference are compared on; `stored` whether the values are kept beside the engine.

    Those that are not stored can be made again: `hwnas.export.parity.parity_inputs`.
    """

    runs: Sequence[Feeds]
    stored: bool


@dataclass(frozen=True)
class Trials:
    """What engines are judged on without labels; `name` says what it is, `real` whether it is no noise."""

    runs: Sequence[Feeds]
    name: str
    real: bool


@dataclass(frozen=True)
class Quantised:
    """A quantised model: its ONNX by batch (None: a dynamic one), and in words what was done to the weights."""

    onnx: Callable[[int | None], bytes]
    note: str


class Labelled(Protocol):
    """Labelled images, prepared for the network."""

    @property
    def dataset(self) -> str:
        """What opens them again: a data set's reference, or a folder."""

    @property
    def split(self) -> str:
        """Its part, as in "test"."""

    @property
    def name(self) -> str:
        """For people, as in "digits test split"."""

    def batches(self, count: int | None = None) -> Iterator[tuple[Values, Labels]]:
        """Rows of the only input and their labels (n,), some at a time: all of them, or a sample of `count`."""


class Exportable(Protocol):
    """A network that can be exported."""

    @property
    def name(self) -> str:
        """Its id."""

    @property
    def weights(self) -> str:
        """Where they are from."""

    @property
    def objectives(self) -> Mapping[str, Quantity]:
        """What is known before the export: figures of the search, or counts."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the engine is not good for, a line each."""

    @property
    def preprocessing(self) -> dict[str, Any] | None:
        """The datasheet's section: how an image becomes the input, and what the outputs mean; None without images."""

    @property
    def sections(self) -> dict[str, Any]:
        """The datasheet's sections "architecture", "space" and "model": what the network is."""

    @property
    def tested(self) -> Labelled | None:
        """Labelled images that its accuracy is measured on."""

    @property
    def judged(self) -> Labelled | None:
        """Those that engines are chosen by."""

    @property
    def lacking(self) -> str:
        """Why its accuracy is not measured, where `tested` is None."""

    @property
    def is_quantised(self) -> bool:
        """Whether its ONNX is int8 as it is."""

    @property
    def has_torch(self) -> bool:
        """Whether there is a torch network."""

    def ports(self, batch: int) -> tuple[Tensors, Tensors]:
        """Inputs and outputs, as far as these are known."""

    def onnx(self, batch: int | None) -> bytes:
        """With its weights as they are; None for a dynamic batch.

        Raises:
            BadInput: a batch that the model has not.
        """

    def module(self, batch: int) -> TorchModel | None:
        """The torch module for engines that are compiled of one; None where the ONNX says it all, or there is none."""

    def checks(self, batch: int) -> Checks:
        """Seeded noise, the same on every machine."""

    def trials(self, batch: int, calibration: Path | None) -> Trials:
        """Calibration images or arrays that set no ranges, or noise where there are none."""

    def reference(self, batch: int) -> Reference:
        """What engines of that batch are compared with."""

    def torch_session(self, options: Options, *, compiled: bool) -> Session:
        """The torch network itself, to time beside the engines; EngineUnavailable where there is none."""

    def check_precision(self, precision: str) -> None:
        """BadInput for one that an engine of this network cannot have, whatever the runtime."""

    def cannot_quantise(self, calibration: Path | None) -> str:
        """Why there can be no int8, or ""."""

    def quantise(self, calibration: Path | None, config: QuantConfig, tolerance: float) -> Quantised:
        """int8, with the ranges of calibration images or arrays; BadInput where there are none."""

    def predicted(self, profiler: str, options: Options) -> Quantity:
        """Latency by a table, or a quantity without a value that says why."""
