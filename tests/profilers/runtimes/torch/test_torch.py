"""The runtime torch beyond the contract: its levels, what it refuses, layers of modules, and the GPU by a stand-in."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from hwnas.onnx.writer import write_onnx
from hwnas.space import get_space
from profilers.base import Options
from profilers.errors import BadInput, EngineUnavailable
from profilers.onnx.node_names import layer_of
from profilers.registry import get_profiler
from profilers.runtimes.onnxruntime import OnnxRuntime
from profilers.runtimes.torch import aot
from profilers.runtimes.torch.network import MODULES
from profilers.runtimes.torch.runtime import Torch, TorchCuda
from profilers.runtimes.torch.trace import MARK, WHOLE, Event, layer_times
from tests.profilers import models
from tests.profilers.runtimes.torch.standin import Pretended

RNG = np.random.default_rng(0)


def images(session) -> np.ndarray:
    return RNG.standard_normal(session.input_shape, np.float32)


def changed(**edits) -> bytes:
    """The small chain with one attribute of its first node, its name or its operator changed."""
    proto = onnx.load_from_string(models.chain())
    node = proto.graph.node[0]
    for name, value in edits.items():
        if name in ("name", "op_type"):
            setattr(node, name, value)
        else:
            node.attribute.append(onnx.helper.make_attribute(name, value))
    return proto.SerializeToString()


def every_operator() -> bytes:
    """The largest network of the tiny space, with additions and squeeze-and-excite."""
    space = get_space("tiny")
    model = write_onnx(space.layers(space.extremes()[1]), batch=2)
    assert {"Mul", "Add"} <= {node.op_type for node in onnx.load_from_string(model).graph.node}
    return model


@pytest.mark.parametrize("level", ["", "eager", "eager-nchw"])
def test_a_network_computes_what_onnx_runtime_does(level):
    model = every_operator()
    with (
        Torch().load(model, Options(batch=2, optimization=level)) as session,
        OnnxRuntime().load(model, Options(batch=2)) as other,
    ):
        x = images(session)
        assert np.abs(session.infer(x) - other.infer(x)).max() <= 1e-4 * np.abs(other.infer(x)).max()
        assert session.result[0].requires_grad is False


def test_networks_have_the_layout_channels_last_and_nchw_on_request():
    for level, last in (("eager", True), ("eager-nchw", False)):
        with Torch().load(models.chain(), Options(optimization=level)) as session:
            assert session.values["input"].is_contiguous(memory_format=torch.channels_last) == last
            assert session.network.L01_conv.weight.is_contiguous(memory_format=torch.channels_last) == last


def test_activations_work_in_place_where_nothing_else_reads_their_input():
    with Torch().load(models.chain()) as session:
        assert session.network.L00_act.inplace
        x = session.values["input"].clone()
        session.run()
        assert torch.equal(session.values["input"], x)


@pytest.mark.parametrize(
    "edits",
    [
        {"name": "/features/0/Conv"},
        {"name": "L00_x\"); print('evil'); (\""},
        {"op_type": "ConvTranspose"},
        {"dilations": [2, 2]},
        {"auto_pad": "SAME_UPPER"},
    ],
)
def test_onnx_that_hwnas_did_not_write_is_refused_in_one_line(edits):
    words = "an ONNX model that hwnas did not write .* allowed: networks of a search space, or the torch module itself"
    with pytest.raises(BadInput, match=words) as caught:
        Torch().load(changed(**edits))
    assert "\n" not in str(caught.value) and "try: python:module:NAME" in str(caught.value)


def test_every_operator_of_the_writer_is_known():
    found = {"Conv", "Gemm", "Relu", "Clip", "HardSwish", "HardSigmoid", "GlobalAveragePool", "Flatten", "Add", "Mul"}
    assert set(MODULES) == found


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_is_computed_in_and_float32_comes_out(monkeypatch, precision):
    monkeypatch.setattr(Torch, "supported_precisions", lambda self: self.precisions)
    with Torch().load(models.chain(), Options(precision=precision)) as half, Torch().load(models.chain()) as full:
        x = images(half)
        off = np.abs(half.infer(x) - full.infer(x)).max() / np.abs(full.infer(x)).max()
        assert 0 < off < 0.05 and half.outputs == full.outputs
        assert half.values["input"].dtype == half.kind


def test_threads_are_those_of_the_options(monkeypatch):
    told = []
    monkeypatch.setattr(torch, "get_num_threads", lambda: told[-1] if told else 0)
    monkeypatch.setattr(torch, "set_num_threads", told.append)
    with (
        Torch().load(models.chain(), Options(threads=1)) as one,
        Torch().load(models.chain(), Options(threads=2)) as two,
    ):
        told.clear()
        for session in (one, one, two, one):
            session.run()
    assert told == [1, 2, 1]


def test_compiled_levels_have_no_layers_and_say_what_has(monkeypatch):
    for level in ("compile", "aot"):
        with pytest.raises(
            EngineUnavailable, match=f"no per-node times at the level {level}.*lut plan, lut measure, lut fit"
        ):
            Torch().load(models.chain(), Options(optimization=level), traced=True)
    monkeypatch.setattr(aot, "COMPILERS", ())
    with pytest.raises(EngineUnavailable, match="compiler"):
        Torch().load(models.chain(), Options(optimization="compile"))


def test_compiling_happens_when_a_network_is_loaded_and_its_errors_are_one_line(monkeypatch):
    """The compiler itself takes a minute, and seconds to import; the contract suite runs it."""
    compiled, settings = [], SimpleNamespace(compile_threads=8)
    monkeypatch.setitem(sys.modules, "torch._inductor", SimpleNamespace(config=settings))

    def compile_(module, dynamic):
        compiled.append(dynamic)
        return module

    monkeypatch.setattr(torch, "compile", compile_)
    with Torch().load(models.chain(), Options(optimization="compile")) as session:
        session.run()
    assert compiled == [False] and settings.compile_threads == 1
    monkeypatch.setattr(torch, "compile", lambda module, dynamic: lambda x: {}["one\ntwo"])
    with pytest.raises(BadInput, match=r"torch cannot compile the module: .*allowed: the level eager") as caught:
        Torch().load(models.chain(), Options(optimization="compile"))
    assert "\n" not in str(caught.value)


class Shared(nn.Module):
    """One activation for two layers, an addition of its own, and two outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8))
        self.act, self.head = nn.ReLU(), nn.Linear(8, 4)

    def forward(self, image: torch.Tensor, shift: torch.Tensor) -> dict[str, torch.Tensor]:
        x = self.act(self.body(image) + shift)
        return {"hidden": x, "logits": self.act(self.head(x.mean((2, 3))))}


def test_a_users_module_is_run_as_it_is():
    module = Shared().train()
    feeds = {"image": RNG.standard_normal((2, 3, 8, 8), np.float32), "shift": np.float32([[[[0.5]]]])}
    expected = module.eval()(*map(torch.from_numpy, feeds.values()))
    module.train()
    with Torch().load_module(module, feeds) as session:
        found = session.run_on(feeds)
        assert list(found) == ["output_0", "output_1"]
        assert np.allclose(found["output_1"], expected["logits"].detach(), atol=1e-6)
        assert session.values["image"].is_contiguous()
    assert module.training and next(module.parameters()).requires_grad  # it worked on a copy
    with Torch().load_module(module, feeds, traced=True) as session:
        session.run()
        (times,) = session.node_times()
        details = session.node_details()
    assert set(times) == set(details) == {"body.0", "body.1", "act", "head", "forward"}
    assert details["body.1"].op == "BatchNorm2d" and all(times.values())


def test_a_module_is_refused_by_runtimes_of_onnx_and_at_unknown_levels():
    with pytest.raises(EngineUnavailable, match="onnxruntime takes no torch modules; try: their ONNX"):
        OnnxRuntime().load_module(nn.ReLU(), {"x": np.zeros(1, np.float32)})
    with pytest.raises(BadInput, match="optimization 'fast' on torch; allowed: eager, eager-nchw, compile, aot"):
        Torch().load_module(nn.ReLU(), {"x": np.zeros(1, np.float32)}, Options(optimization="fast"))


def test_a_traced_run_is_as_long_as_its_layers_and_not_as_the_profiler():
    model, layers = models.tiny()
    with Torch().load(model, traced=True) as session:
        shares = []
        for _ in range(5):
            start = session.clock.wall()
            session.run()
            elapsed = 1e3 * (session.clock.wall() - start)
            (times,) = session.node_times()
            shares.append(sum(times.values()) / elapsed)
            assert {layer_of(name) for name in times} == set(range(layers))
    assert max(shares) <= 1 and np.median(shares) > 0.3  # other processes may come in between layers


# The GPU: what a stand-in can show


def test_a_network_is_captured_once_and_launched_as_a_graph():
    pretended = Pretended()
    with pretended.load(models.chain()) as session, Torch().load(models.chain()) as plain:
        x = images(plain)
        assert np.allclose(session.infer(x), plain.infer(x), atol=1e-5)
        assert pretended.api.captures == 1 and not session.notes
        before = session.clock.wall()
        session.run()
        assert session.clock.wall() > before and session.threads == 0
    with pretended.load(models.chain(), Options(optimization="eager")) as session:
        session.run()
    assert pretended.api.captures == 1


def test_what_cannot_be_captured_is_run_eagerly_and_says_so_or_is_refused():
    pretended = Pretended("operation not permitted when stream is capturing")
    with pretended.load_module(nn.ReLU(), {"x": np.zeros((1, 2), np.float32)}) as session:
        session.run()
        (note,) = session.notes
    assert note == (
        "launched operator by operator: the network cannot be captured as a CUDA graph: "
        "operation not permitted when stream is capturing"
    )
    line = r"cannot be captured as a CUDA graph: [^\n]*; try: the level eager$"
    for options in (Options(), Options(optimization="graph")):  # a table must not be of launches, unsaid
        with pytest.raises(EngineUnavailable, match=line):
            pretended.load(models.chain(), options)
    with pytest.raises(EngineUnavailable, match=line):
        pretended.load_module(nn.ReLU(), {"x": np.zeros(1, np.float32)}, Options(optimization="graph"))


@pytest.mark.parametrize(("precision", "allowed"), [("fp32", False), ("tf32", True)])
def test_tf32_is_on_where_it_is_the_precision_and_only_during_a_run(precision, allowed):
    def flags():
        return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark

    before, seen = flags(), []
    with Pretended().load(models.chain(), Options(precision=precision, optimization="eager")) as session:
        session.launch = lambda: seen.append(flags())
        session.run()
    assert seen == [(allowed, allowed, True)] and flags() == before


@pytest.mark.filterwarnings("ignore:CUDA is not available")
def test_without_kernels_there_are_no_layers_and_that_is_said():
    with pytest.raises(
        EngineUnavailable,
        match=r"shows no kernels .CUPTI is missing.*try: a table from a few whole networks: hwnas lut",
    ):
        Pretended().load(models.chain(), traced=True)


def test_without_a_gpu_torch_cuda_says_why():
    status = TorchCuda().status()
    if status.available:
        pytest.skip("there is a GPU")
    assert "CUDA" in status.reason and status.remedy


def test_kernels_are_charged_to_the_range_that_launched_them():
    def cpu(name, start, end, number=0, link=0):
        return Event(name, start, end - start, number, link, True)

    def gpu(name, start, ns, link):
        return Event(name, start, ns, 0, link, False)

    events = [
        cpu(MARK + "L00_conv", 0, 9, 1),  # of the run before the recorded one
        cpu("aten::conv2d", 1, 8, 2),
        gpu("warm", 100, 50, 2),
        cpu(MARK + WHOLE, 10, 100, 3),
        cpu(MARK + "forward", 11, 99, 4),
        cpu(MARK + "L00_conv", 12, 40, 5),
        cpu("aten::conv2d", 13, 39, 6),
        cpu("aten::cudnn_convolution", 14, 38, 7),
        cpu("cudaLaunchKernel", 15, 16, 7, link=7),
        cpu("aten::hardswish", 41, 50, 8),
        gpu(MARK + "L00_conv", 200, 400, 7),  # an annotation on the GPU's own line
        gpu("winograd", 200, 300, 7),
        gpu("bias", 500, 40, 6),
        gpu("hardswish", 700, 5000, 8),
    ]
    assert layer_times(events, cuda=True) == {"L00_conv": 340e-6, "forward": 5000e-6}
    assert layer_times(events, cuda=False) == {"L00_conv": 28e-6, "forward": 9e-6}


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16", "fp16"])
def test_a_gpu_computes_what_the_cpu_does(precision):
    gpu = get_profiler("torch-cuda")
    if not gpu.status().available:
        pytest.skip(gpu.status().reason)
    model = every_operator()
    with (
        gpu.load(model, Options(batch=2, precision=precision)) as session,
        Torch().load(model, Options(batch=2)) as cpu,
    ):
        x = images(cpu)
        off = np.abs(session.infer(x) - cpu.infer(x)).max() / np.abs(cpu.infer(x)).max()
        assert off < {"fp32": 1e-4, "tf32": 1e-2}.get(precision, 5e-2) and not session.notes


@pytest.mark.gpu
def test_layers_on_a_gpu_are_kernel_times():
    gpu = get_profiler("torch-cuda")
    if not gpu.status().available:
        pytest.skip(gpu.status().reason)
    model, layers = models.tiny(batch=8)
    with gpu.load(model, Options(batch=8), traced=True) as session:
        start = session.clock.wall()
        session.run()
        elapsed = 1e3 * (session.clock.wall() - start)
        (times,) = session.node_times()
    assert {layer_of(name) for name in times} == set(range(layers))
    assert 0 < sum(times.values()) <= 1.01 * elapsed
