"""What a phase of progressive shrinking allows: its architectures, and the order of channels before widths shrink."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from hwnas.nets.network import ConvNorm
from hwnas.nets.supernet import ElasticLayer, Supernet
from hwnas.space import Architecture, SearchSpace
from hwnas.space.layer import round_channels
from hwnas.train.config import Phase
from profilers.errors import BadInput


@dataclass(frozen=True)
class Elastic:
    """The choices of a phase, ascending."""

    space: SearchSpace
    kernels: tuple[int, ...]
    expands: tuple[int, ...]
    depths: tuple[int, ...]
    resolutions: tuple[int, ...]

    @classmethod
    def of(cls, space: SearchSpace, phase: Phase) -> Elastic:
        """The largest so many choices of the space; BadInput if it has fewer."""
        found = {}
        for name in ("kernels", "expands", "depths", "resolutions"):
            count, values = getattr(phase, name), tuple(sorted(getattr(space, name)))
            if count > len(values):
                raise BadInput(f"phase {phase.name!r}: {name} = {count}", f"0 to {len(values)} in space {space.name}")
            found[name] = values[-count:]  # -0 is all
        return cls(space, **found)

    def sample(self, rng: np.random.Generator, resolution: int) -> Architecture:
        """Depth, kernel and expand drawn uniformly and independently."""
        d = self._fitting(rng.choice(self.depths, len(self.space.stages)).tolist())
        ks, e = (rng.choice(values, sum(d)).tolist() for values in (self.kernels, self.expands))
        return Architecture(d, tuple(ks), tuple(e), resolution)

    def extreme(self, index: int, resolution: int) -> Architecture:
        """The smallest (index 0) or largest (index -1) network."""
        d = self._fitting([self.depths[index]] * len(self.space.stages))
        return Architecture(d, (self.kernels[index],) * sum(d), (self.expands[index],) * sum(d), resolution)

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
        assert isinstance(slot, ElasticLayer)
        inputs = slot.part("expand").conv.in_channels
        _sort_slot(slot, [round_channels(inputs * e) for e in expands])


def _sort_slot(slot: ElasticLayer, widths: list[int]) -> None:
    importance = slot.part("project").conv.weight.abs().sum((0, 2, 3))  # (mid,)
    order = _within_groups(importance, widths)
    for name in ("expand", "depth"):
        _permute(slot.part(name), order)
    project = slot.part("project").conv.weight
    project.copy_(project[:, order])
    parts = dict(slot.named_children())
    if "se_reduce" in parts:
        reduce, expand = slot.part("se_reduce"), slot.part("se_expand")
        reduce.conv.weight.copy_(reduce.conv.weight[:, order])
        _permute(expand, order)


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
