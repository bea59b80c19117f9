"""A runtime: ONNX Runtime as most programs call it."""

import onnxruntime as ort

from profilers.base import FunctionSession, Loader, Profiler, Status
from profilers.onnx.ports import read_static


class Plain(Profiler):
    name, traces = "plain", False

    def _status(self):
        return Status(True, ort.__version__)

    def _load(self, model, options, traced):
        settings = ort.SessionOptions()
        settings.intra_op_num_threads = options.threads
        proto, inputs, outputs = read_static(model, options.batch)
        run = ort.InferenceSession(proto.SerializeToString(), settings).run
        return FunctionSession(inputs, outputs, lambda feeds: run(None, feeds), options.threads)

    def loader(self, file, options):
        load, call = f'session = ort.InferenceSession(here / "{file}")', "session.run(None, feeds)"
        names = "[port.name for port in session.get_outputs()]"
        return Loader("onnxruntime", "numpy as np, onnxruntime as ort", load, f"dict(zip({names}, {call}))")
