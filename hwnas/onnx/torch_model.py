"""Torch modules as ONNX, checked against torch.

Through TorchScript's exporter first: over eight classifiers of torchvision and timm it took 0.8 to 15 s where the
newer one took 9 to 41 s, all outputs agreed with torch's within 2e-6 by both, and only its nodes are named by their
modules ("/features/0/Conv"), which a profile by layer is read by. What it cannot export, or a torch that has it no
longer, is left to the newer one, where onnxscript is installed.
"""

from __future__ import annotations

import copy
import ctypes
import importlib.util
import logging
import os
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from hwnas.onnx.edit import without_copies
from hwnas.onnx.torch_inputs import SEED, positional
from profilers import temporary
from profilers.errors import BadInput
from profilers.onnx.model import OnnxModel, read_model
from profilers.onnx.parse import parse

if TYPE_CHECKING:
    from torch import Tensor, nn

M = TypeVar("M", bound="nn.Module")

OPSET = 18
IMAGES = 4  # of noise, for BatchNorm's statistics
LIMIT = 1e-3  # of the largest output: what an export may differ from torch


def prepared(module: M, inputs: Mapping[str, Tensor]) -> tuple[M, bool]:
    """A copy on the CPU, in evaluation mode, and whether BatchNorm's statistics were taken from noise.

    An untrained network whose statistics are as they were made may have activations that underflow to denormal numbers,
    which are slow. A trained one keeps its own.
    """
    try:
        copied = copy.deepcopy(module).cpu().eval()
    except Exception as error:  # a module of a user can raise anything
        raise BadInput(f"the module cannot be copied: {_first_line(error)}", "a plain torch module") from error
    return copied, untrained(copied) and any(_takes(copied, examples) for examples in _noise(inputs))


def untrained(module: nn.Module) -> bool:
    """Whether every BatchNorm (one at least) has the statistics that it was made with."""
    from torch.nn.modules.batchnorm import _BatchNorm

    pairs = [(m.running_mean, m.running_var) for m in module.modules() if isinstance(m, _BatchNorm)]
    kept = [(mean, var) for mean, var in pairs if mean is not None and var is not None]
    return bool(kept) and all(not mean.any() and bool(var.eq(1).all()) for mean, var in kept)


def _noise(inputs: Mapping[str, Tensor]) -> Iterator[tuple[Tensor, ...]]:
    """Seeded noise like the inputs: four examples where each has a batch, then as many as they have."""
    import torch

    def like(x: Tensor, count: int) -> Tensor:
        if x.is_floating_point():
            return torch.randn((count, *x.shape[1:]), generator=generator, dtype=x.dtype)
        return x[:1].expand(count, *x.shape[1:]).clone()

    if all(x.ndim for x in inputs.values()):
        for count in (IMAGES, next(iter(inputs.values())).shape[0]):
            generator = torch.Generator().manual_seed(SEED)
            yield tuple(like(x.cpu(), count) for x in inputs.values())


def _takes(module: nn.Module, examples: tuple[Tensor, ...]) -> bool:
    """Whether it ran on the examples, and has their statistics now; not every module takes another batch."""
    from hwnas.nets.statistics import take_statistics

    try:
        take_statistics(module, [examples])
    except Exception:  # as above
        module.eval()
        return False
    return True


def export(
    module: nn.Module, inputs: Mapping[str, Tensor], outputs: Sequence[str] = (), *, dynamic: bool = False
) -> OnnxModel:
    """The ONNX model of a module as `prepared` gives it, for inputs of exactly these shapes; or of any batch.

    Args:
        module: in evaluation mode.
        inputs: by name, in the order of forward's parameters.
        dynamic: with an open first dimension of every input and output, by the older exporter.
        outputs: names of them, by default "output", or "output_0" and so on.

    Raises:
        BadInput: the module does not run on the inputs, or neither exporter can write it (the reason of the first).
    """
    names = list(outputs) or _output_names(module, inputs)
    reasons = []
    for dynamo in (False, True) if importlib.util.find_spec("onnxscript") and not dynamic else (False,):
        try:
            return _exported(module, inputs, names, dynamo=dynamo, dynamic=dynamic)
        except Exception as error:  # the exporters' have no common base
            reasons.append(_first_line(error))
    more = "" if len(reasons) > 1 else "pip install onnxscript, for torch's other exporter"
    raise BadInput(f"torch cannot export the module: {reasons[0]}", "a module that torch.onnx.export takes", more)


@contextmanager
def _taking(module: nn.Module, count: int) -> Iterator[None]:
    """The module's forward without further parameters: TorchScript makes an input of a parameter's default value."""
    if all(p.default is None for p in positional(module)[count:]):
        yield
        return
    forward = module.forward
    module.forward = lambda *inputs: forward(*inputs)
    try:
        yield
    finally:
        del module.forward


def _exported(
    module: nn.Module, inputs: Mapping[str, Tensor], outputs: Sequence[str], *, dynamo: bool, dynamic: bool
) -> OnnxModel:
    import torch

    with (
        temporary.scratch("export") as folder,
        _quiet(),
        torch.no_grad(),
        _taking(module, len(inputs)),
    ):
        path = Path(folder) / "m.onnx"
        torch.onnx.export(
            module,
            tuple(inputs.values()),
            str(path),
            dynamo=dynamo,
            opset_version=OPSET,
            input_names=list(inputs),
            output_names=list(outputs),
            verbose=False,
            dynamic_axes={name: {0: "batch"} for name in (*inputs, *outputs)} if dynamic else None,
        )
        proto = parse(read_model(path).data)
        without_copies(proto)
        model = OnnxModel.of(proto)
        return model if dynamic else model.pinned()


def difference(module: nn.Module, model: OnnxModel) -> float:
    """How far the model is from the module on noise: the largest difference by the largest value of that output.

    Raises:
        BadInput: more than 0.1 % (2 % in 16 bits), or another number of outputs.
    """
    feeds = model.noise(SEED + 1)
    expected, found = _torch_outputs(module, feeds), _onnx_outputs(model, feeds)
    if len(expected) != len(found):
        raise BadInput(f"an export with {len(found)} outputs of a module with {len(expected)}", "as many")
    pairs = zip(expected, found, strict=True)
    worst = max((float(np.abs(a - b).max() / max(np.abs(a).max(), 1e-6)) for a, b in pairs if a.size), default=0.0)
    limit = LIMIT if all(port.dtype != "float16" for port in model.outputs.values()) else 20 * LIMIT
    if not worst <= limit:
        got = f"the exported model differs from torch by {worst:.2g} of the largest output on noise"
        raise BadInput(got, f"{limit:g}", "a forward without branches that depend on values")
    return worst


def _torch_outputs(module: nn.Module, feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
    import torch

    return [x.double().numpy() for x in _outputs(module, {n: torch.from_numpy(v) for n, v in feeds.items()})]


def _outputs(module: nn.Module, inputs: Mapping[str, Tensor]) -> list[Tensor]:
    import torch
    from torch.utils._pytree import tree_flatten

    with torch.inference_mode():
        return [x for x in tree_flatten(module(*inputs.values()))[0] if isinstance(x, torch.Tensor)]


def _output_names(module: nn.Module, inputs: Mapping[str, Tensor]) -> list[str]:
    try:
        count = len(_outputs(module, inputs))
    except Exception as error:  # a module of a user can raise anything
        shapes = ", ".join(f"{name} {'x'.join(map(str, x.shape))} {x.dtype}" for name, x in inputs.items())
        got = f"the module does not run on {shapes}: {_first_line(error)}"
        raise BadInput(got, "inputs that it takes", "other shapes, or a pair of the module and its inputs") from error
    return ["output"] if count == 1 else [f"output_{i}" for i in range(count)]


def _onnx_outputs(model: OnnxModel, feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 4
    try:
        session = ort.InferenceSession(model.data, options, providers=["CPUExecutionProvider"])
        return [np.asarray(value, np.float64) for value in session.run(None, dict(feeds))]
    except Exception as error:  # ORT's exceptions have no common base
        raise BadInput(f"ONNX Runtime refuses the exported model: {_first_line(error)}", "a standard model") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporters say: warnings of their own deprecation, and on stdout the graph that one refuses."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings(), _no_stdout():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


@contextmanager
def _no_stdout() -> Iterator[None]:
    """Without stdout, where TorchScript's exporter prints, from C++, the whole graph that it refuses."""
    sys.stdout.flush()
    kept = os.dup(1)
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123  a file descriptor is wanted
        os.dup2(nowhere.fileno(), 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        ctypes.CDLL(None).fflush(None)  # what C has buffered
        os.dup2(kept, 1)
        os.close(kept)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
