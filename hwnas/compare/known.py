"""Well-known networks of torchvision, and of timm where it is installed, as ONNX with random weights.

Random, because latency does not depend on them; BatchNorm's statistics are taken from noise, so that activations keep
the size they have in a trained network (left at their start they may underflow to denormal numbers, which are slow).
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypeVar

from hwnas.compare import paper
from hwnas.compare.count import Counts, constants, count, madds, params
from hwnas.onnx.open_model import open_model
from hwnas.onnx.torch_model import export, prepared
from profilers.errors import BadInput
from profilers.plugins import PREFIX

if TYPE_CHECKING:
    from torch import nn

M = TypeVar("M", bound="nn.Module")

DEFAULT = (
    "mobilenet_v2",
    "mobilenet_v3_small",
    "mobilenet_v3_large",
    "mnasnet1_0",
    "efficientnet_b0",
    "efficientnet_b1",
    "resnet18",
    "resnet50",
)
_TWO_STEPS = {"googlenet": {"init_weights": True, "aux_logits": False}, "inception_v3": {"init_weights": True}}


@dataclass(frozen=True)
class Known:
    """A network: its ONNX at `size` px, what was counted from it, and what its authors state.

    `published` are params and multiply-adds by torchvision's metadata (millions of operations, at `native` px),
    `top1` ImageNet top-1 in % of its default weights; None where nothing is stated.
    """

    name: str
    source: str
    size: int
    model: bytes
    counts: Counts
    native: int | None = None
    published: Counts | None = None
    top1: float | None = None


def usual() -> tuple[str, ...]:
    """Names to compare with where none is given: eight of torchvision, and with timm the paper's others."""
    more = tuple(name for name in paper.TABLE if name not in DEFAULT) if _has_timm() else ()
    return DEFAULT + more


def _has_timm() -> bool:
    return importlib.util.find_spec("timm") is not None


def make(name: str, size: int | None = 224, batch: int = 1) -> Known:
    """A network by its name in torchvision or timm, or any model of the user's.

    Args:
        name: as in "mobilenet_v3_large"; MODEL.onnx, or python:module:NAME of a torch module.
        size: px; None for the one that its weights were trained for. A model of the user's has its own.
        batch: images a run.

    Raises:
        BadInput: an unknown name (the nearest known one is said), or a network that cannot be exported at that size.
        FileProblem: no such file.
    """
    if name.startswith(PREFIX) or name.lower().endswith(".onnx"):
        return _given(name, batch)
    from torchvision import models

    if name in models.list_models(module=models):
        return _torchvision(name, size, batch)
    if _has_timm():
        timm = importlib.import_module("timm")
        if name in timm.list_models():
            network = timm.create_model(name, pretrained=False)
            return _known(name, "timm", network, size or _timm_size(network), batch)
    near = next(iter(get_close_matches(name, models.list_models(module=models), 1)), "")
    more = "" if _has_timm() else ", and of timm once it is installed (pip install 'hwnas[compare]')"
    raise BadInput(f"unknown network {name!r}", f"classification networks of torchvision{more}", near)


def _given(name: str, batch: int) -> Known:
    """A model of the user's; of one that takes no image, the size is 0."""
    opened = open_model(name, batch=batch)
    data, ports = opened.model.data, list(opened.model.inputs.values())
    size = ports[0].shape[2] if len(ports) == 1 and len(ports[0].shape) == 4 else 0
    weights = constants(data) if opened.module is None else params(opened.module)
    return Known(opened.name, "given", size, data, Counts(weights, madds(data)))


def _torchvision(name: str, size: int | None, batch: int) -> Known:
    from torchvision import models

    weights: Any = models.get_model_weights(name).DEFAULT
    native = int(weights.transforms().crop_size[0])
    network = models.get_model(name, weights=None, **_TWO_STEPS.get(name, {}))
    published = Counts(int(weights.meta["num_params"]), round(1e9 * weights.meta["_ops"]))
    top1 = weights.meta["_metrics"].get("ImageNet-1K", {}).get("acc@1")
    return _known(name, "torchvision", network, size or native, batch, native, published, top1)


def _timm_size(network: Any) -> int:
    return int(network.default_cfg["input_size"][-1])


def _known(name: str, source: str, network: nn.Module, size: int, batch: int, *stated: Any) -> Known:
    try:
        model = to_onnx(network, size, batch)
    except Exception as error:  # torch's, and the exporter's
        raise BadInput(
            f"{name} cannot be exported at {size} px: {str(error).splitlines()[0]}", "another --size"
        ) from error
    return Known(name, source, size, model, count(network, model), *stated)


def to_onnx(network: nn.Module, size: int, batch: int) -> bytes:
    """A torch network as ONNX, input "input" (batch, 3, size, size), output "logits".

    `network` itself is not touched: a copy is written, with statistics of noise (see `calibrate_batchnorm`).
    """
    import torch

    inputs = {"input": torch.zeros(batch, 3, size, size)}
    copied, _ = prepared(network, inputs)
    return export(copied, inputs, ["logits"]).data


def calibrate_batchnorm(network: M, size: int, channels: int) -> M:
    """A copy on the CPU, in evaluation mode, whose BatchNorm has the statistics of four images of seeded noise."""
    import torch

    return prepared(network, {"input": torch.zeros(1, channels, size, size)})[0]
