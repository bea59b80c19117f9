"""A model made elsewhere at other batches: ONNX whose first dimensions are open, or a torch module written anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from hwnas.onnx.open_model import OpenedModel
from profilers.errors import BadInput
from profilers.onnx.model import OnnxModel
from profilers.onnx.parse import parse

if TYPE_CHECKING:
    from torch import nn

BATCH = "batch"  # the name of a dynamic first dimension


class ModelBatches(Protocol):
    """The same model for each batch."""

    @property
    def widest(self) -> int | None:
        """None (a dynamic batch) where it has one, else its own batch."""

    def of(self, batch: int | None) -> OnnxModel:
        """Pinned; None for a dynamic batch. BadInput for a batch that it has not."""


class FileBatches:
    """Of an ONNX model as it was read, its other dimensions fixed by `shapes`."""

    def __init__(self, source: OnnxModel, opened: OpenedModel, shapes: Mapping[str, Sequence[int]]) -> None:
        self.source, self.shapes = source, shapes
        self.found: dict[int | None, OnnxModel] = {opened.model.batch: opened.model}

    @property
    def widest(self) -> int | None:
        """See `ModelBatches`."""
        return None if not self._fixed() else next(iter(self.found))

    def of(self, batch: int | None) -> OnnxModel:
        """See `ModelBatches`."""
        if batch not in self.found:
            self.found[batch] = self._dynamic() if batch is None else self.source.pinned(self.shapes, batch)
        return self.found[batch]

    def _fixed(self) -> str:
        """The first input whose first dimension is fixed, or ""."""
        ports = self.source.inputs.values()
        closed = (p.name for p in ports if not p.dims or isinstance(p.dims[0], int) or p.name in self.shapes)
        return next(closed, "") if self.source.inputs else "none"

    def _dynamic(self) -> OnnxModel:
        if name := self._fixed():
            model = next(iter(self.found.values()))
            got = f"--batch dynamic for a model whose input {name} has a fixed first dimension"
            raise BadInput(got, f"--batch {model.batch}", "export it with a dynamic batch")
        return with_dynamic_batch(self.source, self.source.pinned(self.shapes, 1))


class ModuleBatches:
    """Of a torch module, which is written for each batch."""

    def __init__(self, opened: OpenedModel, module: nn.Module) -> None:
        self.opened, self.module = opened, module
        self.found: dict[int | None, OnnxModel] = {opened.model.batch: opened.model}

    @property
    def widest(self) -> int | None:
        """See `ModelBatches`."""
        try:
            self.of(None)
        except BadInput:
            return self.opened.model.batch
        return None

    def of(self, batch: int | None) -> OnnxModel:
        """See `ModelBatches`."""
        if batch not in self.found:
            self.found[batch] = self._written(batch)
        return self.found[batch]

    def _written(self, batch: int | None) -> OnnxModel:
        import torch

        from hwnas.onnx import torch_model

        own = self.opened.model.batch
        if any(port.shape[:1] != (own,) for port in self.opened.model.inputs.values()):
            raise BadInput(f"batch {batch or 'dynamic'} for inputs without a common batch", str(own))
        noise = self.opened.model.noise()
        rows = {name: np.resize(values, (batch or own, *values.shape[1:])) for name, values in noise.items()}
        inputs = {name: torch.from_numpy(values) for name, values in rows.items()}
        model = torch_model.export(self.module, inputs, dynamic=batch is None)
        torch_model.difference(self.module, model if batch else model.pinned(batch=2 * own))
        return model


def with_dynamic_batch(source: OnnxModel, pinned: OnnxModel) -> OnnxModel:
    """`source` with the dimensions of `pinned`, but for the first ones, which are open in it and stay so."""
    proto = parse(source.data)
    del proto.graph.value_info[:]
    known = {**pinned.inputs, **pinned.outputs}
    for value in (*proto.graph.input, *proto.graph.output):
        port = known.get(value.name)
        for i, dim in enumerate(value.type.tensor_type.shape.dim if port else ()):
            size = port.dims[i] if port and port.dims else None
            if i == 0 and not dim.dim_value:
                dim.dim_param = BATCH
            elif isinstance(size, int):
                dim.dim_value = size
    return OnnxModel.of(proto)
