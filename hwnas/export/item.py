"""A network of a search space to export: its weights, what is already known of it, and the tables that predict it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hwnas.export import parity
from hwnas.export.calibration import images_of_dataset, images_of_path
from hwnas.export.exportable import Checks, Labelled, Outputs, Quantised, Reference, Tensors, Trials
from hwnas.export.inference_script import metadata
from hwnas.export.labelled import DatasetSplit
from hwnas.export.quantity import Quantity
from hwnas.onnx.edit import with_batch
from hwnas.onnx.writer import write_onnx
from hwnas.space import Architecture, SearchSpace
from hwnas.space.fixed import ArchitectureLike, SpaceLike
from lut import LatencyTable
from profilers.base import Feeds, Options, Session, Tensor, TorchModel
from profilers.errors import BadInput
from profilers.onnx.quantise import QuantConfig

if TYPE_CHECKING:
    from hwnas.data import Dataset
    from hwnas.nets import Network

STEPS = (
    "turned upright by EXIF, transparency dropped, 8 bits a colour; the shorter side resized to {resize} px and the "
    "central {r} x {r} cut out; values 0 to 1, then (value - mean) / std; run.py has these steps"
)
NOISE_IMAGES = 64
CALIBRATION_OPTION = "--calibration FOLDER or FILE.npz"
NO_CALIBRATION = "int8 needs images to set its ranges: --calibration"
_UNKNOWN = "; no data set is known: not normalised, classes by number"


@dataclass(frozen=True)
class Input:
    """How images are prepared, and what the outputs are called, where no labelled data set says so (see `Dataset`)."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    crop: float
    class_names: tuple[str, ...]


@dataclass(frozen=True)
class ExportItem:
    """One network to export.

    `objectives` are the figures of the search (or those that can be counted), `tables` whatever latency tables are at
    hand; the first that fits the engine predicts its latency. `dataset` is None for random weights, or where images
    have no labels; then `input` may be known. `warnings` say what the engine is not good for, a line each.
    """

    space: SpaceLike
    arch: ArchitectureLike
    network: Network
    weights: str
    objectives: Mapping[str, Quantity]
    tables: Sequence[LatencyTable] = ()
    dataset: Dataset | None = None
    warnings: tuple[str, ...] = ()
    input: Input | None = None

    @property
    def name(self) -> str:
        """The architecture's id."""
        return str(self.arch.id)

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(C, r, r)."""
        return self.space.in_channels, self.arch.r, self.arch.r

    @property
    def preprocessing(self) -> dict[str, Any]:
        """What an image must go through, and what the outputs mean: a section of the datasheet."""
        data, channels, r = self.dataset or self.input, self.space.in_channels, self.arch.r
        crop = data.crop if data else 1.0
        resize = math.ceil(r / crop)
        return {
            "layout": "NCHW, float32",
            "size": r,
            "channels": channels,
            "mode": "L" if channels == 1 else "RGB",
            "mean": list(data.mean) if data else [0.0] * channels,
            "std": list(data.std) if data else [1.0] * channels,
            "resize": resize,
            "crop": crop,
            "interpolation": "bilinear, antialiased",
            "white": self.dataset.white if self.dataset else None,
            "note": STEPS.format(resize=resize, r=r) + ("" if data else _UNKNOWN),
            "labels": list(data.class_names) if data else [str(i) for i in range(self.space.classes)],
        }

    @property
    def sections(self) -> dict[str, Any]:
        """See `Exportable`."""
        space = {"name": self.space.name, "signature": self.space.signature, "classes": self.space.classes}
        return {"architecture": self.arch.to_json(), "space": space, "model": None}

    @property
    def tested(self) -> Labelled | None:
        """See `Exportable`: the data set's last split."""
        return None if self.dataset is None else DatasetSplit(self.dataset, self.dataset.last_split, self.arch.r)

    @property
    def judged(self) -> Labelled | None:
        """See `Exportable`: its validation split."""
        return None if self.dataset is None else DatasetSplit(self.dataset, "val", self.arch.r)

    @property
    def lacking(self) -> str:
        """See `Exportable`."""
        return next(iter(self.warnings), "no labelled images")

    @property
    def is_quantised(self) -> bool:
        """See `Exportable`."""
        return False

    @property
    def has_torch(self) -> bool:
        """See `Exportable`."""
        return True

    def ports(self, batch: int) -> tuple[Tensors, Tensors]:
        """See `Exportable`."""
        entry = {"input": Tensor((batch, *self.input_shape), "float32")}
        return entry, {"logits": Tensor((batch, self.space.classes), "float32")}

    def onnx(self, batch: int | None) -> bytes:
        """With weights, preprocessing and labels inside."""
        from hwnas.nets import fold

        facts = {"arch": self.arch.id, "space": self.space.name, "weights": self.weights}
        facts |= metadata(self.preprocessing)
        return write_onnx(self.space.layers(self.arch), fold(self.network), batch=batch, metadata=facts)

    def module(self, batch: int) -> TorchModel | None:
        """See `Exportable`: its ONNX is that of a network of a space, of which torch's runtime builds a module."""
        return None

    def checks(self, batch: int) -> Checks:
        """See `Exportable`."""
        return Checks([{"input": parity.parity_inputs(self.input_shape)}], stored=False)

    def trials(self, batch: int, calibration: Path | None) -> Trials:
        """See `Exportable`."""
        if calibration is not None:
            images = images_of_path(calibration, self.preprocessing).held_out
            return Trials([{"input": images}], f"{len(images)} calibration images", real=True)
        shape = (NOISE_IMAGES, *self.input_shape)
        noise = np.random.default_rng(parity.PARITY_SEED).standard_normal(shape, dtype=np.float32)
        return Trials([{"input": noise}], f"{NOISE_IMAGES} noise images", real=False)

    def reference(self, batch: int) -> Reference:
        """See `Exportable`: the torch network."""

        def answer(feeds: Feeds) -> Outputs:
            return {"logits": parity.torch_logits(self.network, feeds["input"])}

        return Reference("torch", answer)

    def torch_session(self, options: Options, *, compiled: bool) -> Session:
        """See `Exportable`."""
        from hwnas.export.torch_session import torch_session

        shape = (options.batch, *self.input_shape)
        return torch_session(self.network, shape, options.threads, compiled=compiled)

    def check_precision(self, precision: str) -> None:
        """See `Exportable`: it has any."""

    def cannot_quantise(self, calibration: Path | None) -> str:
        """See `Exportable`."""
        return "" if calibration or self.dataset else NO_CALIBRATION

    def quantise(self, calibration: Path | None, config: QuantConfig, tolerance: float) -> Quantised:
        """See `Exportable`: with training images where no others are given."""
        from hwnas.export.quantise import quantise

        if calibration is not None:
            images = images_of_path(calibration, self.preprocessing)
        elif self.dataset is not None:
            images = images_of_dataset(self.dataset, self.arch.r)
        else:
            raise BadInput(
                "int8 of a network without a data set: no images to set the ranges with", remedy=CALIBRATION_OPTION
            )
        found = quantise(self.onnx(1), images, config, tolerance=tolerance)
        return Quantised(lambda batch: with_batch(found.model, batch), found.note(images.source))

    def predicted(self, profiler: str, options: Options) -> Quantity:
        """See `Exportable`."""
        return predicted(self, profiler, options)


def counted(space: SpaceLike, arch: ArchitectureLike) -> dict[str, Quantity]:
    """Params and MAdds, which need nothing but the layers."""
    layers = space.layers(arch)
    return {
        "params": Quantity(sum(x.params for x in layers), "", "exact: counted from the layers"),
        "madds": Quantity(sum(x.madds for x in layers), "", "exact: counted from the layers"),
    }


def predicts(table: LatencyTable, profiler: str, options: Options) -> bool:
    """Whether a table was made for this runtime, batch, threads and precision."""
    return table.fingerprint is not None and (table.fingerprint.runtime, table.options) == (profiler, options)


def predicted(item: ExportItem, profiler: str, options: Options) -> Quantity:
    """Latency by the first table made for this engine, batch, threads and precision; else a quantity of no value."""
    for table in item.tables:
        fits = predicts(table, profiler, options)
        if fits and isinstance(item.space, SearchSpace) and isinstance(item.arch, Architecture):
            genes = item.space.encode([item.arch])
            bound = table.bind(item.space)
            ms, low, high = (float(x[0]) for x in bound.predict(genes))
            note = f"; {bound.classifier.how}" if bound.classifier.how else ""
            how = f"predicted by the {table.method} table of {table.device}, {table.options.state}{note}"
            return Quantity(ms, "ms", how, low, high)
    wanted = f"{profiler}, {options.precision}, batch {options.batch}, {options.state}"
    return Quantity(None, "ms", f"not measured: no table of {wanted} given")
