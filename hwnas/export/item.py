"""What is to be exported: an architecture, its weights, what is already known of it, and the tables that predict it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hwnas.export.quantity import Quantity
from hwnas.space import Architecture, SearchSpace
from hwnas.space.fixed import ArchitectureLike, SpaceLike
from lut import LatencyTable
from profilers.base import Options

if TYPE_CHECKING:
    from hwnas.data import Dataset
    from hwnas.nets import Network

_STEPS = (
    "turned upright by EXIF, transparency dropped, 8 bits a colour; the shorter side resized to {resize} px and the "
    "central {r} x {r} cut out; values 0 to 1, then (value - mean) / std; run.py has these steps"
)
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
            "note": _STEPS.format(resize=resize, r=r) + ("" if data else _UNKNOWN),
            "labels": list(data.class_names) if data else [str(i) for i in range(self.space.classes)],
        }


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
