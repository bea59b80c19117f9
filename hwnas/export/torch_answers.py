"""What a torch module of any inputs and outputs answers, as arrays under the names of its ONNX."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hwnas.export.exportable import Outputs, Tensors
from profilers.base import Feeds
from profilers.errors import BadInput

if TYPE_CHECKING:
    from torch import nn


def torch_outputs(module: nn.Module | None, feeds: Feeds, outputs: Tensors) -> Outputs:
    """Outputs of one run, in the types of the ONNX; the feeds are in the order of forward's parameters."""
    import torch
    from torch.utils._pytree import tree_flatten

    if module is None:
        raise BadInput("no torch module", "a model that came from torch")
    with torch.inference_mode():
        result = module(*(torch.from_numpy(np.ascontiguousarray(values)) for values in feeds.values()))
    found = [x for x in tree_flatten(result)[0] if isinstance(x, torch.Tensor)]
    return {name: _array(x, t.dtype) for (name, t), x in zip(outputs.items(), found, strict=True)}


def _array(tensor: Any, dtype: str) -> np.ndarray[Any, Any]:
    import torch

    return np.array((tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy(), dtype)
