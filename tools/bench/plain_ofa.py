"""Once-for-all's training step as its code computes it, plainly: what ours is compared with (`tools.bench.train`).

NCHW tensors; before each convolution the active part of its weights is cut out and copied; a smaller depthwise kernel
is the larger one's centre times a matrix; h-swish and h-sigmoid are made of ReLU6; BatchNorm is sliced; the largest
network teaches; soft and smoothed labels are written out. Written from the paper and the facts of OFA's
`DynamicMBConvLayer` and `train_one_epoch`; it holds the weights in our supernet's tensors, so that both can be proved
to compute the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from hwnas.nets.supernet import ElasticConv, Supernet
from hwnas.space import Architecture, Convolution, LayerSpec
from hwnas.train.config import Recipe
from hwnas.train.optimise import make_optimiser


def hsigmoid(x: Tensor) -> Tensor:
    return F.relu6(x + 3.0) / 6.0


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "none": lambda x: x,
    "relu": F.relu,
    "relu6": F.relu6,
    "hswish": lambda x: x * hsigmoid(x),
}


def active_weight(unit: ElasticConv, c: Convolution) -> Tensor:
    """The filters of the active convolution, (out, in / groups, k, k)."""
    weight = unit.conv.weight[: c.out_channels, : c.in_channels // c.groups].contiguous()
    for large, small in unit.steps:
        if large <= c.kernel:
            break
        edge = (large - small) // 2
        centre = weight[:, :, edge : edge + small, edge : edge + small].contiguous()
        flat = F.linear(centre.view(-1, small * small), unit.get_parameter(f"{large}to{small}_matrix"))
        weight = flat.view(weight.shape[0], weight.shape[1], small, small)
    return weight


def convolution(unit: ElasticConv, c: Convolution, x: Tensor) -> Tensor:
    """Convolution and BatchNorm."""
    bias = None if unit.conv.bias is None else unit.conv.bias[: c.out_channels]
    y = F.conv2d(x, active_weight(unit, c), bias, c.stride, c.kernel // 2, 1, c.groups)
    n = c.out_channels
    norm: Any = unit.norm
    if norm is None:
        return y
    mean, var = norm.running_mean[:n], norm.running_var[:n]
    return F.batch_norm(y, mean, var, norm.weight[:n], norm.bias[:n], True, norm.momentum, norm.eps)


def layer(elastic: Any, spec: LayerSpec, x: Tensor) -> Tensor:
    """One layer of the active network."""
    if spec.kind == "pool":
        return x.mean(3, keepdim=True).mean(2, keepdim=True)
    units = {c.part: (elastic.part(c.part), c) for c in spec.convolutions}
    if spec.kind == "linear":
        unit, c = units["linear"]
        weight = unit.conv.weight[: c.out_channels, : c.in_channels].flatten(1)
        return F.linear(x.flatten(1), weight, unit.conv.bias)
    act = ACTIVATIONS[spec.act]
    if spec.kind == "conv":
        return act(convolution(*units["conv"], x))
    y = act(convolution(*units["expand"], x)) if "expand" in units else x
    y = act(convolution(*units["depth"], y))
    if spec.se:
        gate = y.mean(3, keepdim=True).mean(2, keepdim=True)
        gate = F.relu(convolution(*units["se_reduce"], gate))
        y = y * hsigmoid(convolution(*units["se_expand"], gate))
    y = convolution(*units["project"], y)
    return x + y if spec.skip else y


def logits(supernet: Supernet, x: Tensor, arch: Architecture) -> Tensor:
    """(N, classes) of the active network, with the batch's own statistics."""
    for elastic, spec in supernet.active(arch):
        x = layer(elastic, spec, x)
    return x


def soft_cross_entropy(output: Tensor, target: Tensor) -> Tensor:
    """Mean over images of - sum of target x log-softmax."""
    return torch.mean(torch.sum(-target * F.log_softmax(output, dim=1), 1))


def smoothed(labels: Tensor, classes: int, amount: float) -> Tensor:
    """(n, classes) one-hot labels with `amount` spread over all classes."""
    hot = torch.zeros(len(labels), classes).scatter_(1, labels[:, None], 1)
    return hot * (1 - amount) + amount / classes


class PlainStep:
    """Training steps of a supernet in NCHW, with the weights of `supernet` and `teacher` (both are changed or used)."""

    def __init__(self, supernet: Supernet, teacher: Supernet | None, recipe: Recipe) -> None:
        self.supernet, self.teacher, self.recipe = supernet.train(), teacher, recipe
        self.optimiser = make_optimiser(supernet, recipe)

    def __call__(self, images: Tensor, labels: Tensor, archs: Sequence[Architecture], lr: float) -> float:
        """One update; returns the mean loss."""
        self.optimiser.zero_grad()
        target = smoothed(labels, self.supernet.space.classes, self.recipe.label_smoothing)
        soft = None
        if self.teacher is not None:
            with torch.no_grad():
                largest = self.supernet.space.extremes()[1]
                soft = F.softmax(logits(self.teacher, images, largest), dim=1)
        total = 0.0
        for arch in archs:
            output = logits(self.supernet, images, arch)
            loss = soft_cross_entropy(output, target)
            if soft is not None:
                loss = loss + self.recipe.distill * soft_cross_entropy(output, soft)
            torch.autograd.backward(loss / len(archs))
            total += loss.item() / len(archs)
        for group in self.optimiser.param_groups:
            group["lr"] = lr
        self.optimiser.step()
        return total
