"""ONNX's reference evaluator as a runtime."""

import onnx.reference

from profilers.base import FunctionSession, Loader, Profiler, Status
from profilers.onnx.ports import read_static


class Reference(Profiler):
    name, traces = "reference", False

    def _status(self):
        return Status(True, onnx.__version__)

    def _load(self, model, options, traced):
        proto, inputs, outputs = read_static(model, options.batch)
        run = onnx.reference.ReferenceEvaluator(proto).run
        return FunctionSession(inputs, outputs, lambda feeds: run(None, feeds))

    def loader(self, file, options):
        load = f'model = onnx.reference.ReferenceEvaluator(str(here / "{file}"))'
        call = "dict(zip(model.output_names, model.run(None, feeds)))"
        return Loader("onnx", "numpy as np, onnx.reference", load, call)
