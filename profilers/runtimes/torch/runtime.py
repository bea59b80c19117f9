"""The runtimes `torch` and `torch-cuda`."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from profilers.base import Feeds, Options, Session, Status, Tensor, not_importable
from profilers.errors import MeasurementFailed
from profilers.onnx.ports import read_static
from profilers.runtimes.torch import levels
from profilers.runtimes.torch.levels import Level
from profilers.runtimes.torch.network import network
from profilers.runtimes.torch.package import PackageEngine
from profilers.runtimes.torch.place import Cpu, Cuda
from profilers.runtimes.torch.session import TorchSession

if TYPE_CHECKING:
    from torch import nn

REMEDY = "pip install torch"
MKLDNN = {"bf16": "_is_mkldnn_bf16_supported", "fp16": "_is_mkldnn_fp16_supported"}
"""Torch's own questions to a CPU: without, it converts to float32 and back, which nobody wants timed."""
CAPABILITIES = {"tf32": (8, 0), "bf16": (8, 0), "fp16": (5, 3)}
"""The first generations of GPUs that compute in a precision. Source: CUDA's programming guide."""


class Torch(PackageEngine):
    """On the CPU: networks of a search space from their ONNX, and any torch module as it is (`load_module`)."""

    name: ClassVar[str] = "torch"
    precisions: ClassVar[tuple[str, ...]] = ("fp32", "bf16", "fp16")
    levels: ClassVar[tuple[str, ...]] = tuple(levels.CPU)
    own_onnx: ClassVar[bool] = True
    modules: ClassVar[bool] = True

    def _status(self) -> Status:
        try:
            import torch
        except (ImportError, OSError) as error:
            return not_importable("torch", error, REMEDY)
        return Status(True, str(torch.__version__))

    def supported_precisions(self) -> tuple[str, ...]:
        """Those that the CPU computes in by torch's own account; float32 always."""
        import torch

        def has(precision: str) -> bool:
            asked = getattr(torch.ops.mkldnn, MKLDNN.get(precision, ""), None)
            return precision == "fp32" or bool(asked and asked())

        return tuple(filter(has, self.precisions))

    def traces_at(self, options: Options) -> bool:
        """Compiled code has fused what layers would be told apart by."""
        return self.level(options).traces

    def level(self, options: Options) -> Level:
        """The level that the options ask for."""
        return levels.CPU[options.optimization or "eager"]

    def running(self, options: Options) -> Cpu | Cuda:
        """Where sessions run and how they are timed."""
        return Cpu(options.threads)

    def _load(self, model: bytes | Path, options: Options, traced: bool) -> Session:
        proto, inputs, outputs = read_static(model, options.batch)
        return self.session(network(proto), inputs, options, traced, tuple(outputs))

    def _load_module(self, module: nn.Module, feeds: Feeds, options: Options, traced: bool) -> Session:
        inputs = {name: Tensor(values.shape, values.dtype.name) for name, values in feeds.items()}
        return self.session(copy.deepcopy(module), inputs, options, traced, feeds=feeds)

    def session(
        self,
        module: nn.Module,
        inputs: Mapping[str, Tensor],
        options: Options,
        traced: bool,
        outputs: tuple[str, ...] = (),
        feeds: Feeds | None = None,
        kind: Callable[..., TorchSession] = TorchSession,
    ) -> TorchSession:
        """Of a module that is this session's own; `kind` is how it is made."""
        import torch

        level = self.level(options)
        if feeds:  # a user's module keeps its layout, and need not be one that captures
            level = level._replace(channels_last=False, required=level.required and bool(options.optimization))
        try:
            return kind(
                module, inputs, options, level, self.running(options), outputs=outputs, feeds=feeds, traced=traced
            )
        except torch.OutOfMemoryError as error:
            got = f"too little memory on the GPU: {str(error).splitlines()[0]}"
            raise MeasurementFailed(got, remedy="a smaller --batch") from error


class TorchCuda(Torch):
    """On the first NVIDIA GPU, launched as a CUDA graph where that can be captured."""

    name: ClassVar[str] = "torch-cuda"
    device: ClassVar[str] = "cuda"
    gpu: ClassVar[bool] = True
    precisions: ClassVar[tuple[str, ...]] = ("fp32", "tf32", "bf16", "fp16")
    levels: ClassVar[tuple[str, ...]] = tuple(levels.CUDA)
    default_batch: ClassVar[int] = 64

    def _status(self) -> Status:
        there = super()._status()
        if not there.available:
            return there
        import torch

        if torch.version.cuda is None:
            reason = f"the installed torch {there.version} has no CUDA"
            return Status(False, there.version, reason, "the wheel with CUDA: https://pytorch.org/get-started")
        if not torch.cuda.is_available():
            reason = f"torch finds no NVIDIA GPU with a driver for CUDA {torch.version.cuda}"
            return Status(False, there.version, reason, "nvidia-smi should list a GPU, and a driver that is new enough")
        return there

    def supported_precisions(self) -> tuple[str, ...]:
        """Those that this generation of GPUs computes in."""
        import torch

        here = torch.cuda.get_device_capability(0)
        return tuple(p for p in self.precisions if here >= CAPABILITIES.get(p, (0, 0)))

    def device_name(self) -> str:
        """As the driver names it; as torch does, where nvidia-smi is missing."""
        import torch

        from profilers.timing.fingerprint import nvidia_gpu

        return nvidia_gpu() or (torch.cuda.get_device_name(0) if torch.cuda.is_available() else "")

    def capability(self) -> str:
        """Of the first GPU, as in "sm86"."""
        import torch

        return "sm{}{}".format(*torch.cuda.get_device_capability(0))

    def level(self, options: Options) -> Level:
        """The level that the options ask for."""
        return levels.CUDA[options.optimization or "graph"]

    def running(self, options: Options) -> Cpu | Cuda:
        """The first GPU, with TF32 where that is the precision."""
        return Cuda(tf32=options.precision == "tf32")
