"""A model made elsewhere, to export: an ONNX file or a torch module, of any inputs and outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from hwnas.export import parity
from hwnas.export.calibration import CalibrationRuns, runs_of_path
from hwnas.export.exportable import Checks, Labelled, Outputs, Quantised, Reference, Tensors, Trials
from hwnas.export.inference_script import metadata
from hwnas.export.item import CALIBRATION_OPTION, NO_CALIBRATION
from hwnas.export.model_batches import ModelBatches
from hwnas.export.quantise_model import note, quantise_model
from hwnas.export.quantity import Quantity
from hwnas.export.torch_answers import torch_outputs
from hwnas.onnx.open_model import OpenedModel
from profilers.base import Feeds, Options, Session, Tensor, TorchModel
from profilers.errors import BadInput, EngineUnavailable
from profilers.onnx.dimensions import Port
from profilers.onnx.model import OnnxModel
from profilers.onnx.parse import parse
from profilers.onnx.quantise import QuantConfig
from profilers.registry import get_profiler

ORT = "ONNX Runtime, graph optimisation disabled"
RUNS, RUN_BYTES = 4, 8e6  # of noise that is stored: at most so many runs, and no more than one where they are larger
TRIALS = 64  # calibration runs that engines are judged on
QDQ = ("QuantizeLinear", "DequantizeLinear")


@dataclass(frozen=True)
class ModelItem:
    """One model; the fields are those of `Exportable`, or what `hwnas.export.model_source` found out.

    batches: the model for each batch. tested: labelled images of the user's. lacking: why there are none.
    """

    opened: OpenedModel
    batches: ModelBatches
    source: str
    sha256: str
    weights: str
    objectives: Mapping[str, Quantity]
    preprocessing: dict[str, Any] | None
    tested: Labelled | None
    lacking: str
    warnings: tuple[str, ...] = ()
    kept: dict[int, Session] = field(default_factory=dict, repr=False, compare=False)

    @property
    def name(self) -> str:
        """See `Exportable`."""
        return self.opened.name

    @property
    def judged(self) -> Labelled | None:
        """See `Exportable`: the same images."""
        return self.tested

    @property
    def sections(self) -> dict[str, Any]:
        """See `Exportable`."""
        proto = self.proto
        facts = {
            "source": self.source,
            "sha256": self.sha256,
            "opset": max((entry.version for entry in proto.opset_import if entry.domain in ("", "ai.onnx")), default=1),
            "nodes": len(proto.graph.node),
            "quantised": self.is_quantised,
            "parity_of_export": self.opened.parity,
        }
        return {"architecture": None, "space": None, "model": facts}

    @cached_property
    def proto(self) -> Any:
        """Its ONNX, parsed."""
        return parse(self.opened.model.data)

    @cached_property
    def is_quantised(self) -> bool:
        """See `Exportable`: whether it has nodes that quantise."""
        return any(node.op_type in QDQ or node.op_type.startswith("QLinear") for node in self.proto.graph.node)

    @property
    def has_torch(self) -> bool:
        """See `Exportable`."""
        return self.opened.module is not None

    def ports(self, batch: int) -> tuple[Tensors, Tensors]:
        """See `Exportable`; outputs whose shape depends on their values are not there."""
        model = self.batches.of(batch)
        return _tensors(model.inputs), _tensors(model.outputs)

    def onnx(self, batch: int | None) -> bytes:
        """See `Exportable`; with the preprocessing of an image classifier inside."""
        return self._described(self.batches.of(batch).data)

    def module(self, batch: int) -> TorchModel | None:
        """See `Exportable`."""
        if self.opened.module is None:
            return None
        model = self.batches.of(batch)
        return TorchModel(self.opened.module, model.noise(), tuple(model.outputs))

    def checks(self, batch: int) -> Checks:
        """See `Exportable`."""
        model = self.batches.of(batch)
        first = model.noise(parity.PARITY_SEED)
        size = sum(values.nbytes for values in first.values())
        count = int(min(max(RUN_BYTES // max(size, 1), 1), RUNS))
        return Checks([first, *(model.noise(parity.PARITY_SEED + i) for i in range(1, count))], stored=True)

    def trials(self, batch: int, calibration: Path | None) -> Trials:
        """See `Exportable`."""
        if calibration is None:
            runs = self.checks(batch).runs
            return Trials(runs, f"{len(runs)} run{'s' * (len(runs) > 1)} of seeded noise", real=False)
        held_out = self._calibration(calibration).held_out[:TRIALS]
        rows = all(tensor.shape[:1] == (1,) for tensor in self.ports(1)[0].values()) and held_out and held_out[0]
        joined = [{name: np.concatenate([run[name] for run in held_out]) for name in held_out[0]}] if rows else held_out
        return Trials(joined, f"{len(held_out)} inputs of {calibration} that set no ranges", real=True)

    def reference(self, batch: int) -> Reference:
        """See `Exportable`: torch where it came from torch, else the model itself as it is written."""
        if self.opened.module is not None:
            ends = self.ports(batch)

            def torch(feeds: Feeds) -> Outputs:
                return parity.in_batches(lambda f: torch_outputs(self.opened.module, f, ends[1]), ends[0], feeds)

            return Reference("torch", torch)
        if batch not in self.kept:
            options = Options(precision="fp32", batch=batch, optimization="disable")
            self.kept[batch] = get_profiler("onnxruntime").load(self.batches.of(batch).data, options)
        session = self.kept[batch]
        return Reference(ORT, lambda feeds: parity.run_rows(session, feeds))

    def torch_session(self, options: Options, *, compiled: bool) -> Session:
        """See `Exportable`."""
        from hwnas.export.torch_session import torch_session

        if self.opened.module is None:
            raise EngineUnavailable("the model came as ONNX, without a torch network")
        feeds = self.batches.of(options.batch).noise()
        return torch_session(self.opened.module, feeds, options.threads, compiled=compiled)

    def check_precision(self, precision: str) -> None:
        """See `Exportable`."""
        if self.is_quantised and precision != "int8":
            raise BadInput(f"{precision} of a model that is int8 already", "int8", "--precision int8")
        if precision == "int8" and not self.is_quantised and self._half:
            raise BadInput("int8 of a model whose weights have 16 bits", "one of float32", "--precision fp32")

    @cached_property
    def _half(self) -> bool:
        from onnx import TensorProto

        kinds = {tensor.data_type for tensor in self.proto.graph.initializer if tensor.dims}
        return TensorProto.FLOAT not in kinds and bool(kinds & {TensorProto.FLOAT16, TensorProto.BFLOAT16})

    def cannot_quantise(self, calibration: Path | None) -> str:
        """See `Exportable`."""
        return "" if calibration else NO_CALIBRATION

    def quantise(self, calibration: Path | None, config: QuantConfig, tolerance: float) -> Quantised:
        """See `Exportable`; `tolerance` is nothing that ONNX Runtime's quantisation knows."""
        if calibration is None:
            raise BadInput("int8 of a model without inputs to set the ranges with", remedy=CALIBRATION_OPTION)
        found, batch = self._calibration(calibration), self.batches.widest
        data = quantise_model(self.batches.of(batch).data, found.runs, config)
        model = OnnxModel.of(parse(data))

        def onnx(wanted: int | None) -> bytes:
            return self._described(model.data if wanted == batch else model.pinned(batch=wanted).data)

        return Quantised(onnx, note(found.runs, found.source, config))

    def predicted(self, profiler: str, options: Options) -> Quantity:
        """See `Exportable`: tables predict networks of a space."""
        return Quantity(None, "ms", "not measured: latency tables are for networks of a search space")

    def _calibration(self, path: Path) -> CalibrationRuns:
        return runs_of_path(path, self.ports(1)[0], self.preprocessing)

    def _described(self, model: bytes) -> bytes:
        """With the preprocessing and the labels in its metadata, where it has any."""
        if self.preprocessing is None:
            return model
        from onnx import helper

        proto, facts = parse(model), metadata(self.preprocessing)
        others = {entry.key: entry.value for entry in proto.metadata_props}
        del proto.metadata_props[:]
        helper.set_model_props(proto, others | facts)
        return bytes(proto.SerializeToString())


def _tensors(ports: Mapping[str, Port]) -> dict[str, Tensor]:
    fixed = {n: p for n, p in ports.items() if p.dims is not None and all(isinstance(d, int) for d in p.dims)}
    return {name: Tensor(port.shape, port.dtype) for name, port in fixed.items()}
