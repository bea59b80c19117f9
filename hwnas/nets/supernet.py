"""The supernet of a space: one elastic module that holds the weights of all its networks.

    slot s        an elastic layer of the largest kernel and expand; a network uses those that it expresses
                  (where a slot chooses its kind of layer, one elastic layer of each kind: `slots.4.fused.expand…`)
    kernel        the centre of the larger kernel, flattened, times a learnt matrix: 7 -> 5 -> 3 (W' = W_centre M^T)
    width         the first channels of each tensor, and of BatchNorm's running statistics

`ElasticConv.tensors` is the one slicing function: `forward` computes with what it gives, `extract` copies it.
Parameters are named `slots.4.depth.conv.weight`, `slots.4.depth.5to3_matrix`, `stem.conv.norm.bias`, …
Source: once-for-all (Cai et al. 2020), sections 3.2-3.3; OFA's code with KERNEL_TRANSFORM_MODE 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hwnas.nets.convolve import convolve
from hwnas.nets.network import ConvNorm, Network, init_weights, run_layer
from hwnas.space import Architecture, Convolution, LayerSpec, SearchSpace


class Slice(NamedTuple):
    """The tensors of one convolution inside the supernet; `weight` (out, in / groups, k, k), all others (out,)."""

    weight: Tensor
    bias: Tensor | None
    gamma: Tensor | None
    beta: Tensor | None
    mean: Tensor | None
    var: Tensor | None


class ElasticConv(ConvNorm):
    """The largest convolution of a part, of which smaller ones are slices.

    Args:
        c: the largest one.
        kernels: every kernel size that it can take; one matrix leads from each to the next smaller one.
    """

    def __init__(self, c: Convolution, kernels: tuple[int, ...]) -> None:
        super().__init__(c)
        self.steps = [(a, b) for a, b in zip(kernels[:0:-1], kernels[-2::-1], strict=True) if a <= c.kernel]
        for large, small in self.steps:
            self.register_parameter(f"{large}to{small}_matrix", nn.Parameter(torch.eye(small**2)))

    def tensors(self, c: Convolution) -> Slice:
        """The slice that is the convolution `c`; running statistics are views, so that training updates them."""
        n, bias = c.out_channels, self.conv.bias
        weight = self._kernel(self.conv.weight[:n, : c.in_channels // c.groups], c.kernel)
        norm = self.norm
        if norm is None:
            return Slice(weight, None if bias is None else bias[:n], None, None, None, None)
        assert norm.running_mean is not None and norm.running_var is not None
        stats = norm.running_mean[:n], norm.running_var[:n]
        return Slice(weight, None if bias is None else bias[:n], norm.weight[:n], norm.bias[:n], *stats)

    def _kernel(self, weight: Tensor, kernel: int) -> Tensor:
        for large, small in self.steps:
            if large <= kernel:
                break
            edge = (large - small) // 2
            centre = weight[:, :, edge : edge + small, edge : edge + small].flatten(2)  # (out, in, small * small)
            matrix = self.get_parameter(f"{large}to{small}_matrix")
            weight = F.linear(centre, matrix).view(*weight.shape[:2], small, small)
        return weight

    def active(self, x: Tensor, c: Convolution) -> Tensor:
        """(N, in, size, size) -> (N, out, out, out) by the slice `c`."""
        t = self.tensors(c)
        y = convolve(x, t.weight, t.bias, c)
        if self.norm is None:
            return y
        momentum = self.norm.momentum or 0.0
        return F.batch_norm(y, t.mean, t.var, t.gamma, t.beta, self.training, momentum, self.norm.eps)


class ElasticLayer(nn.Module):
    """All layers of one kind that a slot can have (or one fixed layer); its children are named by their parts.

    Args:
        variants: the layers, the largest first.
    """

    def __init__(self, *variants: LayerSpec) -> None:
        super().__init__()
        self.largest = variants[0]
        parts: dict[str, list[Convolution]] = {}
        for c in (c for spec in variants for c in spec.convolutions):
            parts.setdefault(c.part, []).append(c)
        for part, found in parts.items():
            largest = max(found, key=lambda c: (c.out_channels, c.in_channels, c.kernel))
            self.add_module(part, ElasticConv(largest, tuple(sorted({c.kernel for c in found}))))

    def of(self, spec: LayerSpec) -> ElasticLayer:  # as of ElasticChoice
        """Itself, which holds all."""
        return self

    def layers(self) -> list[ElasticLayer]:
        """Itself alone."""
        return [self]

    def active(self, x: Tensor, spec: LayerSpec) -> Tensor:
        """(N, in, size, size) -> (N, out, out, out) by the layer `spec`."""
        return run_layer(spec, x, lambda c, value: self.part(c.part).active(value, c))

    def part(self, name: str) -> ElasticConv:
        """The convolution of that part's name."""
        return cast(ElasticConv, self.get_submodule(name))


class ElasticChoice(nn.Module):
    """A slot that chooses its kind of layer: an elastic layer of each kind, named by it."""

    def __init__(self, kinds: Mapping[str, ElasticLayer]) -> None:
        super().__init__()
        for kind, layer in kinds.items():
            self.add_module(kind, layer)

    def of(self, spec: LayerSpec) -> ElasticLayer:
        """The elastic layer of that kind."""
        return cast(ElasticLayer, self.get_submodule(spec.kind))

    def layers(self) -> list[ElasticLayer]:
        """Those of all kinds."""
        return [cast(ElasticLayer, layer) for layer in self.children()]


def elastic_slot(variants: Sequence[LayerSpec]) -> ElasticLayer | ElasticChoice:
    """What holds all layers that a slot can have; `variants` are in the order of the space, the largest last."""
    kinds: dict[str, list[LayerSpec]] = {}
    for spec in reversed(variants):
        kinds.setdefault(spec.kind, []).append(spec)
    found = {kind: ElasticLayer(*specs) for kind, specs in kinds.items()}
    return ElasticChoice(found) if len(found) > 1 else next(iter(found.values()))


class Supernet(nn.Module):
    """All networks of `space` in one module.

    Args:
        space: any search space; its resolutions say at which sizes networks are described.
        dropout: probability before the classifier, in training only.
        seed: of the random weights.
    """

    def __init__(self, space: SearchSpace, *, dropout: float = 0.0, seed: int = 0) -> None:
        super().__init__()
        self.space, self.dropout = space, dropout
        r = space.resolutions[0]
        (stem, first), (final, pool, *mix, classifier) = space.fixed(r)
        self.stem, self.first = ElasticLayer(stem), ElasticLayer(first)
        slots = ([space.slot_layer(s, r, *options) for options in space.combinations] for s in range(space.slots))
        self.slots = nn.ModuleList(elastic_slot(variants) for variants in slots)
        self.final, self.pool = ElasticLayer(final), ElasticLayer(pool)
        self.mix = ElasticLayer(mix[0]) if mix else None
        self.classifier = ElasticLayer(classifier)
        init_weights(self, seed)

    def forward(self, x: Tensor, arch: Architecture) -> Tensor:
        """Logits (N, classes) of `arch` for images (N, C, r, r); BadInput if `arch` is not in the space."""
        for layer, spec in self.active(arch):
            if spec.is_classifier:
                x = F.dropout(x, self.dropout, self.training)
            x = layer.active(x, spec)
        return x

    def active(self, arch: Architecture) -> Iterator[tuple[ElasticLayer, LayerSpec]]:
        """The layers of `arch` with the elastic module of each."""
        slots = [cast("ElasticLayer | ElasticChoice", self.slots[slot]) for slot in self.space.expressed(arch)]
        tail = [self.final, self.pool, *([self.mix] if self.mix else []), self.classifier]
        elastic = zip([self.stem, self.first, *slots, *tail], self.space.layers(arch), strict=True)
        return ((layer.of(spec), spec) for layer, spec in elastic)

    @torch.no_grad()
    def extract(self, arch: Architecture) -> Network:
        """A static network of its own with the inherited weights and statistics; gives the same logits."""
        network = Network(self.space.layers(arch), arch, dropout=self.dropout)
        elastic = [layer for layer, _ in self.active(arch)]
        for index, c, unit in network.units():
            _copy(elastic[index].part(c.part).tensors(c), unit)
        return network.train(self.training)


def begin_with(target: Supernet, source: Supernet) -> bool:
    """Copy the weights of another supernet of the space; whether that includes the classifier (of as many classes)."""
    same = source.space.classes == target.space.classes
    state = {k: v for k, v in source.state_dict().items() if same or not k.startswith("classifier.")}
    target.load_state_dict(state, strict=same)
    return same


def with_new_classifier(supernet: Supernet, arch: Architecture, classes: int, seed: int = 0) -> Network:
    """The network that `supernet` contains; of another number of classes, with a random classifier of that seed."""
    network = supernet.extract(arch)
    if classes == supernet.space.classes:
        return network
    specs = supernet.space.with_classes(classes).layers(arch)
    target, last = Network(specs, arch, dropout=supernet.dropout, seed=seed), f"layers.{len(specs) - 1}."
    target.load_state_dict({k: v for k, v in network.state_dict().items() if not k.startswith(last)}, strict=False)
    return target.train(supernet.training)


def _copy(source: Slice, unit: ConvNorm) -> None:
    norm = unit.norm
    targets = [unit.conv.weight, unit.conv.bias]
    targets += [None] * 4 if norm is None else [norm.weight, norm.bias, norm.running_mean, norm.running_var]
    for target, value in zip(targets, source, strict=True):
        if target is not None and value is not None:
            target.copy_(value)
