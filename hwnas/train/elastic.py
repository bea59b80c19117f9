"""What a phase of progressive shrinking allows: its architectures, and the order of channels before widths shrink."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from hwnas.nets.network import ConvNorm
from hwnas.nets.supernet import ElasticChoice, ElasticLayer, Supernet
from hwnas.space import Architecture, Convolution, SearchSpace
from hwnas.space.attributes import Option
from hwnas.space.layer import round_channels
from hwnas.train.config import Phase
from profilers.errors import BadInput
from profilers.onnx.operations import SqueezeExcite


@dataclass(frozen=True)
class Elastic:
    """The choices of a phase, ascending; `options` are those of each attribute of the space, in its order."""

    space: SearchSpace
    options: tuple[tuple[Option, ...], ...]
    depths: tuple[int, ...]
    resolutions: tuple[int, ...]

    @classmethod
    def of(cls, space: SearchSpace, phase: Phase) -> Elastic:
        """The largest so many choices of the space; BadInput if it has fewer."""

        def largest(name: str, values: tuple[Any, ...]) -> tuple[Any, ...]:
            count = getattr(phase, name, 0)  # -0 is all
            if count > len(values):
                raise BadInput(f"phase {phase.name!r}: {name} = {count}", f"0 to {len(values)} in space {space.name}")
            return values[-count:]

        options = tuple(largest(f"{a.name}s", a.options) for a in space.attributes)
        depths, resolutions = (largest(name, getattr(space, name)) for name in ("depths", "resolutions"))
        return cls(space, options, depths, resolutions)

    def allowed(self, name: str) -> tuple[Option, ...]:
        """The options of the attribute of that name."""
        return self.options[[a.name for a in self.space.attributes].index(name)]

    def sample(self, rng: np.random.Generator, resolution: int) -> Architecture:
        """Depth and each layer's choices drawn uniformly and independently."""
        d = self._fitting(rng.choice(self.depths, len(self.space.stages)).tolist())
        choices = [[options[i] for i in rng.choice(len(options), sum(d))] for options in self.options]
        return self._network(d, choices, resolution)

    def extreme(self, index: int, resolution: int) -> Architecture:
        """The smallest (index 0) or largest (index -1) network."""
        d = self._fitting([self.depths[index]] * len(self.space.stages))
        return self._network(d, [[options[index]] * sum(d) for options in self.options], resolution)

    def _network(self, d: tuple[int, ...], choices: list[list[Option]], resolution: int) -> Architecture:
        keys = [a.key for a in self.space.attributes]
        return Architecture.of(d, dict(zip(keys, choices, strict=True)), resolution)

    def _fitting(self, depths: list[int]) -> tuple[int, ...]:
        """The same, but for stages of fixed depth."""
        return tuple(stage.layers or d for stage, d in zip(self.space.stages, depths, strict=True))

    def networks(self, phase: Phase, rng: np.random.Generator, resolution: int) -> list[Architecture]:
        """The networks to train on one batch."""
        first = [self.extreme(-1, resolution), self.extreme(0, resolution)] if phase.sandwich else []
        first = first[: phase.networks]
        return first + [self.sample(rng, resolution) for _ in range(phase.networks - len(first))]


@torch.no_grad()
def sort_channels(supernet: Supernet, elastic_expands: int) -> None:
    """Order the inner channels of every slot by importance, the L1 norm of the weights that read them.

    Networks of the largest expand compute what they did. `elastic_expands` widths that are trained already keep
    their sets of channels: sorting is within the groups between them.
    Source: once-for-all, section 3.3, "elastic width"; OFA's `re_organize_middle_weights`.
    """
    space = supernet.space
    expands = sorted(space.expands)[len(space.expands) - max(elastic_expands, 1) :]
    for slot in supernet.slots:
        for layer in cast(ElasticLayer | ElasticChoice, slot).layers():
            _sort_layer(layer, [round_channels(layer.largest.in_channels * e) for e in expands])


def _sort_layer(layer: ElasticLayer, widths: list[int]) -> None:
    """By the order of its inner channels, which all operations but the first and the last convolution keep."""
    operations = layer.largest.graph()
    convolutions = [c for c in operations if isinstance(c, Convolution)]
    if len(convolutions) < 2 or convolutions[0].groups > 1:  # its inner channels are its input's
        return
    first, last = (layer.part(c.part) for c in (convolutions[0], convolutions[-1]))
    order = _within_groups(last.conv.weight.abs().sum((0, 2, 3)), widths)  # (mid,)
    for operation in operations:
        if isinstance(operation, SqueezeExcite):
            _read(layer.part(operation.reduce.part), order)
            _permute(layer.part(operation.expand.part), order)
        elif isinstance(operation, Convolution) and operation is not convolutions[-1]:
            unit = layer.part(operation.part)
            if unit is not first and operation.groups == 1:
                _read(unit, order)
            _permute(unit, order)
    _read(last, order)


def _read(unit: ConvNorm, order: Tensor) -> None:
    """Reorder the input channels of a convolution."""
    unit.conv.weight.copy_(unit.conv.weight[:, order])


def _within_groups(importance: Tensor, widths: list[int]) -> Tensor:
    edges = [0, *widths]
    groups = [importance[a:b].argsort(descending=True, stable=True) + a for a, b in zip(edges, widths, strict=False)]
    return torch.cat(groups)


def _permute(unit: ConvNorm, order: Tensor) -> None:
    """Reorder the output channels of a convolution and its BatchNorm."""
    tensors: list[Tensor | None] = [unit.conv.weight, unit.conv.bias]
    if isinstance(unit.norm, nn.BatchNorm2d):
        tensors += [unit.norm.weight, unit.norm.bias, unit.norm.running_mean, unit.norm.running_var]
    for tensor in tensors:
        if tensor is not None:
            tensor.copy_(tensor[order])
