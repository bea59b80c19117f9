"""A network as a torch module: the layers of its specs, one behind the other.

    N  images in a batch        spec.size, spec.out   input and output height = width of a layer, pixels
    x  (N, in_channels, size, size) before a layer, (N, out_channels, out, out) behind it; logits (N, classes)

Parameters lie under the layer's index and the part's name: `layers.7.expand.conv.weight`, `layers.7.expand.norm.bias`
Source: MobileNetV3 (Howard et al. 2019), sections 3 and 5; once-for-all's MBInvertedConvLayer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from hwnas.nets.convolve import convolve
from hwnas.space import Architecture, Convolution, LayerSpec
from profilers.errors import BadInput
from profilers.onnx.node_names import node_name
from profilers.onnx.operations import Linear, Pool, Skip, SqueezeExcite

Folded = dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]]

_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "none": lambda x: x,
    "relu": F.relu,
    "relu6": F.relu6,
    "hswish": F.hardswish,  # x * relu6(x + 3) / 6
    "hsigmoid": F.hardsigmoid,  # relu6(x + 3) / 6
}
Apply = Callable[[Convolution, Tensor], Tensor]


def run_layer(spec: LayerSpec, x: Tensor, apply: Apply, drop_connect: float = 0.0) -> Tensor:
    """How data flows through one layer, for the static network and for the supernet alike.

    Args:
        spec: the layer.
        x: (N, in_channels, size, size).
        apply: runs a convolution and its BatchNorm, without the activation.
        drop_connect: probability that an image takes the shortcut alone, in training.

    Returns:
        (N, out_channels, out, out); (N, out_channels) of a linear layer.
    """
    y = x
    for operation in spec.graph():
        match operation:
            case Convolution():
                y = _activated(operation, y, apply)
            case Pool():
                y = y.mean((2, 3), keepdim=True)  # (N, C, 1, 1)
            case SqueezeExcite():
                gate = _activated(operation.reduce, y.mean((2, 3), keepdim=True), apply)  # (N, hidden, 1, 1)
                y = y * _activated(operation.expand, gate, apply)
            case Skip():
                y = x + (_drop(y, drop_connect) if drop_connect else y)
    return y.flatten(1) if spec.is_classifier else y


def _activated(c: Convolution, x: Tensor, apply: Apply) -> Tensor:
    return _ACTIVATIONS[c.act](apply(c, x))


def _drop(y: Tensor, probability: float) -> Tensor:
    """(N, C, out, out) with that share of the images zero and the others scaled up."""
    return y * F.dropout(y.new_ones(len(y), 1, 1, 1), probability)


class ConvNorm(nn.Module):
    """One `Convolution` and its BatchNorm; a linear map is a 1x1 convolution of a 1x1 image."""

    def __init__(self, c: Convolution) -> None:
        super().__init__()
        self.c = c
        self.conv = nn.Conv2d(
            c.in_channels, c.out_channels, c.kernel, c.stride, c.kernel // 2, groups=c.groups, bias=c.bias
        )
        self.norm = nn.BatchNorm2d(c.out_channels, eps=c.eps) if c.bn else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, in, size, size) -> (N, out, out, out)."""
        y = convolve(x, self.conv.weight, self.conv.bias, self.c)
        return y if self.norm is None else self.norm(y)


class Layer(nn.Module):
    """One `LayerSpec`; its children are named by their parts."""

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__()
        self.spec = spec
        for c in spec.convolutions:
            self.add_module(c.part, ConvNorm(c))

    def forward(self, x: Tensor, drop_connect: float = 0.0) -> Tensor:
        """(N, in, size, size) -> (N, out, out, out)."""
        return run_layer(self.spec, x, lambda c, value: self.get_submodule(c.part)(value), drop_connect)


class Network(nn.Module):
    """A static network of the given layers, with random weights.

    Args:
        specs: the layers, as `SearchSpace.layers` gives them.
        arch: the architecture that they are of, for the record.
        dropout: probability before the classifier, in training only.
        seed: of the random weights.

    `drop_connect` is the probability, in training, that the residual branch of the last layer would be left out of an
    image; it falls linearly to 0 at the first layer (Huang et al. 2016, "stochastic depth"; EfficientNet).
    """

    def __init__(
        self, specs: Sequence[LayerSpec], arch: Architecture | None = None, *, dropout: float = 0.0, seed: int = 0
    ) -> None:
        super().__init__()
        self.specs, self.arch, self.dropout, self.drop_connect = tuple(specs), arch, dropout, 0.0
        self.layers = nn.ModuleList(Layer(spec) for spec in self.specs)
        init_weights(self, seed)

    def forward(self, x: Tensor) -> Tensor:
        """Images (N, C, r, r) -> logits (N, classes)."""
        drop = self.drop_connect / len(self.layers) if self.training else 0.0
        for index, (spec, layer) in enumerate(zip(self.specs, self.layers, strict=True)):
            if spec.is_classifier:
                x = F.dropout(x, self.dropout, self.training)
            x = layer(x, drop * index)
        return x

    def units(self) -> Iterator[tuple[int, Convolution, ConvNorm]]:
        """Every convolution with the index of its layer and the module that holds its weights."""
        for index, (spec, layer) in enumerate(zip(self.specs, self.layers, strict=True)):
            for c in spec.convolutions:
                yield index, c, cast(ConvNorm, layer.get_submodule(c.part))


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """The network is in evaluation mode inside the block; afterwards every module is in the mode in which it was."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def init_weights(model: nn.Module, seed: int) -> None:
    """He's normal initialisation by fan-out for convolutions, uniform for the classifier, as once-for-all's."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, ConvNorm):
                _init_unit(module, generator)


def _init_unit(unit: ConvNorm, generator: torch.Generator) -> None:
    c, conv = unit.c, unit.conv
    if isinstance(c, Linear):
        bound = 1 / math.sqrt(c.in_channels)
        conv.weight.uniform_(-bound, bound, generator=generator)
    else:
        fan_out = c.kernel**2 * c.out_channels // c.groups
        conv.weight.normal_(0, math.sqrt(2 / fan_out), generator=generator)
    if conv.bias is not None:
        conv.bias.zero_()


def fold(network: Network) -> Folded:
    """Weights and biases with BatchNorm folded in, named as the ONNX writer wants them: "L07_expand".

    Returns:
        For each convolution W (out, in / groups, k, k) and b (out,), float32, computed in float64:
        W gamma / sqrt(var + eps) and beta - mean gamma / sqrt(var + eps).

    Raises:
        BadInput: a module of another class, whose convolutions and norms are not known.
    """
    if not isinstance(network, Network):
        raise BadInput(f"a {type(network).__name__}", "a Network of layer specs", "torch.onnx.export")
    return {node_name(index, c.part): _fold_one(unit) for index, c, unit in network.units()}


def _fold_one(unit: ConvNorm) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    weight, norm = unit.conv.weight.detach().cpu().double(), unit.norm
    zeros = torch.zeros(len(weight), dtype=torch.float64)
    bias = zeros if unit.conv.bias is None else unit.conv.bias.detach().cpu().double()
    if norm is not None:
        assert norm.running_mean is not None and norm.running_var is not None
        gamma, beta, mean, var = (
            t.detach().cpu().double() for t in (norm.weight, norm.bias, norm.running_mean, norm.running_var)
        )
        scale = gamma / (var + norm.eps).sqrt()
        weight = weight * scale[:, None, None, None]
        bias = beta + (bias - mean) * scale
    return weight.float().numpy(), bias.float().numpy()
