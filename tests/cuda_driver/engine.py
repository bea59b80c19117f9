"""An engine that copies its input to its output, in place of TensorRT's; the copy is real work on the stream."""

from __future__ import annotations

import ctypes
import json
import time
from types import SimpleNamespace

SHAPE = (2, 3, 4, 4)
BYTES = 4 * 2 * 3 * 4 * 4


class _Profiler:
    """What trt.IProfiler is to its subclasses."""


TRT = SimpleNamespace(
    IProfiler=_Profiler,
    TensorIOMode=SimpleNamespace(INPUT="input mode", OUTPUT="output mode"),
    LayerInformationFormat=SimpleNamespace(JSON="json"),
)


class CopyEngine:
    """ICudaEngine as far as the session uses it.

    work: what copies, of the driver or of torch.  seconds: how long a run takes.
    capturable: whether its work may go into a CUDA graph.  works: whether it can be enqueued at all.
    layers: [{"Name", "Metadata", "ms"}], reported to a profiler in this order.
    """

    num_io_tensors = 2

    def __init__(self, work, seconds=0.0, capturable=True, layers=(), works=True):
        self.work = work
        self.seconds, self.capturable, self.layers, self.works = seconds, capturable, list(layers), works
        self.contexts = []

    def get_tensor_name(self, index):
        return ("images", "copies")[index]

    def get_tensor_mode(self, name):
        return TRT.TensorIOMode.INPUT if name == "images" else TRT.TensorIOMode.OUTPUT

    def get_tensor_shape(self, name):
        return SHAPE

    def get_tensor_dtype(self, name):
        return SimpleNamespace(name="FLOAT")

    def create_execution_context(self):
        self.contexts.append(CopyContext(self))
        return self.contexts[-1]

    def create_engine_inspector(self):
        layers = [{k: v for k, v in layer.items() if k != "ms"} for layer in self.layers]
        return SimpleNamespace(get_engine_information=lambda form: json.dumps({"Layers": layers}))


class CopyContext:
    """IExecutionContext as far as the session uses it; counts how often it was executed."""

    def __init__(self, engine):
        self.engine, self.addresses, self.profiler, self.executed = engine, {}, None, 0

    def set_tensor_address(self, name, address):
        self.addresses[name] = address

    def execute_async_v3(self, stream):
        self.executed += 1
        if not self.engine.works:
            return False
        if not self.engine.capturable and not self.engine.work.wait(stream):
            return False  # waiting is not permitted while the stream is captured
        time.sleep(self.engine.seconds)
        done = self.engine.work.copy(self.addresses["copies"], self.addresses["images"], BYTES, stream)
        if self.profiler is not None:
            for layer in self.engine.layers:
                self.profiler.report_layer_time(layer["Name"], layer["ms"])
        return done


class DriverWork:
    """What an engine does on a stream of the driver; False where the driver refuses."""

    def __init__(self):
        self.driver = ctypes.CDLL("libcuda.so.1")

    def wait(self, stream):
        return not self.driver.cuStreamSynchronize(ctypes.c_void_p(stream))

    def copy(self, to, source, size, stream):
        ends = ctypes.c_ulonglong(to), ctypes.c_ulonglong(source)
        return not self.driver.cuMemcpyDtoDAsync_v2(*ends, ctypes.c_size_t(size), ctypes.c_void_p(stream))


class TorchWork:
    """The same on a stream of the stand-in for torch.cuda."""

    def __init__(self, device):
        self.device = device

    def wait(self, stream):
        try:
            self.device.by_handle(stream).synchronize()
        except RuntimeError:
            return False
        return True

    def copy(self, to, source, size, stream):
        self.device.by_handle(stream).enqueue(lambda: ctypes.memmove(to, source, size))
        return True
