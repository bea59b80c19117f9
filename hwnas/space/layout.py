"""What stands where in a network: the stages, their slots, and the layer in each. The one walk over layers is here.

    S  slots, stage by stage       R  resolutions       K, E  kernel and expand choices

Source: NSGANetV2, section 3.1; once-for-all's OFAMobileNetV3 and OFAProxylessNASNets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hwnas.space.arch import Architecture
from hwnas.space.cost import CostArray
from hwnas.space.definition import Definition
from hwnas.space.identity import legacy_signature, signature
from hwnas.space.layer import LayerSpec, round_channels

_NOT_OF_LAYERS = {"name", "resolutions", "resolution_bounds", "classes"}
_REFERENCE_PIXELS = 224


@dataclass(frozen=True)
class Layout(Definition):
    """Where the layers of a defined space stand."""

    @cached_property
    def _specs(self) -> dict[Any, LayerSpec]:
        """The layers that have been made."""
        return {}

    # --- slots -----------------------------------------------------------------------------------------------

    @cached_property
    def capacity(self) -> tuple[int, ...]:
        """The largest depth of each stage."""
        return tuple(stage.layers or max(self.depths) for stage in self.stages)

    @cached_property
    def depth_choices(self) -> tuple[tuple[int, ...], ...]:
        """The depths that each stage can have."""
        return tuple((stage.layers,) if stage.layers else self.depths for stage in self.stages)

    @cached_property
    def all_depths(self) -> tuple[int, ...]:
        """Every depth that some stage can have, ascending."""
        return tuple(sorted({depth for choices in self.depth_choices for depth in choices}))

    @cached_property
    def slots(self) -> int:
        """S: places in the encoding."""
        return sum(self.capacity)

    @cached_property
    def stage_of(self) -> NDArray[np.int64]:
        """(S,) the stage of each slot."""
        return np.repeat(np.arange(len(self.stages)), self.capacity)

    @cached_property
    def position(self) -> NDArray[np.int64]:
        """(S,) the place of each slot in its stage."""
        return np.concatenate([np.arange(n) for n in self.capacity])

    @cached_property
    def optional(self) -> NDArray[np.bool_]:
        """(S,) whether a slot may be absent."""
        return self.position >= np.array([min(choices) for choices in self.depth_choices])[self.stage_of]

    def present(self, depth: NDArray[Any]) -> NDArray[np.bool_]:
        """(n, S) which slots exist at depths (n, stages); that of a stage of fixed depth is not looked at."""
        fixed = np.array([stage.layers for stage in self.stages])
        wanted: NDArray[np.bool_] = self.position < np.where(fixed > 0, fixed, depth)[:, self.stage_of]
        return wanted

    def expressed(self, arch: Architecture) -> list[int]:
        """The slots of an architecture's layers, in their order."""
        present = self.present(np.array([arch.d]))[0]
        return np.flatnonzero(present).tolist()

    # --- layers ----------------------------------------------------------------------------------------------

    def slot_layer(self, slot: int, resolution: int, kernel: int, expand: int) -> LayerSpec:
        """The layer that stands in a slot, given its choices."""
        key = (slot, resolution, kernel, expand)
        if key not in self._specs:
            self._specs[key] = self._make_layer(*key)
        return self._specs[key]

    def _make_layer(self, slot: int, resolution: int, kernel: int, expand: int) -> LayerSpec:
        index = int(self.stage_of[slot])
        stage, size = self.stages[index], self._stage_sizes(resolution)[index]
        channels, stride = self._entries[index], stage.stride
        if self.position[slot] > 0:
            size, channels, stride = -(-size // stage.stride), stage.channels, 1
        return LayerSpec(
            kind=stage.kind,
            size=size,
            in_channels=channels,
            out_channels=stage.channels,
            kernel=kernel,
            stride=stride,
            expand=expand,
            mid=round_channels(channels * expand),
            act=stage.act,
            se=stage.se,
            skip=stride == 1 and channels == stage.channels,
            eps=self.eps,
        )

    def fixed(self, resolution: int) -> tuple[tuple[LayerSpec, ...], tuple[LayerSpec, ...]]:
        """The layers before and behind the slots, which no choice but the resolution changes.

        Stem and first bottleneck; final convolution, pooling, mixing convolution where there is one, classifier.
        """
        size, first = -(-resolution // 2), self.first or self.stem
        stem = LayerSpec("conv", resolution, self.in_channels, self.stem, 3, 2, act=self.act, eps=self.eps)
        bottleneck = LayerSpec(
            "mbconv",
            size,
            self.stem,
            first,
            3,
            mid=self.stem,
            act=self.first_act,
            skip=first == self.stem,
            eps=self.eps,
        )
        return (stem, bottleneck), self._tail(resolution)

    def _tail(self, resolution: int) -> tuple[LayerSpec, ...]:
        last = self.stages[-1]
        out = -(-self._stage_sizes(resolution)[-1] // last.stride)
        final = LayerSpec("conv", out, last.channels, self.final, act=self.act, eps=self.eps)
        pool = LayerSpec("pool", out, self.final, self.final)
        mix = [LayerSpec("conv", 1, self.final, self.mix, act=self.act, bn=False)] if self.mix else []
        return (final, pool, *mix, self.classifier)

    @property
    def classifier(self) -> LayerSpec:
        """The last layer, the only one that depends on the number of classes."""
        return LayerSpec("linear", 1, self.mix or self.final, self.classes)

    def with_classes(self, classes: int) -> Self:
        """The same space for another number of classes; BadInput below 2 or beyond 100,000."""
        return self if classes == self.classes else replace(self, classes=classes)

    @cached_property
    def _entries(self) -> tuple[int, ...]:
        """Channels that each stage reads."""
        return (self.first or self.stem, *(stage.channels for stage in self.stages[:-1]))

    def _stage_sizes(self, resolution: int) -> list[int]:
        sizes = [-(-resolution // 2)]
        for stage in self.stages[:-1]:
            sizes.append(-(-sizes[-1] // stage.stride))
        return sizes

    def all_layers(self) -> Iterator[LayerSpec]:
        """Every layer that any network of this space has, repeats included."""
        for r in self.resolutions:
            for part in self.fixed(r):
                yield from part
            for s in range(self.slots):
                yield from (self.slot_layer(s, r, k, e) for k in self.kernels for e in self.expands)

    def compile(self, value: Callable[[LayerSpec], float]) -> CostArray:
        """Turn a sum over layers into a look-up: base[resolution] + sum of cost[slot, resolution, kernel, expand]."""
        shape = (self.slots, len(self.resolutions), len(self.kernels), len(self.expands))
        cost, base = np.zeros(shape), np.zeros(len(self.resolutions))
        for j, r in enumerate(self.resolutions):
            base[j] = sum(value(layer) for part in self.fixed(r) for layer in part)
            for s, a, b in np.ndindex(shape[0], *shape[2:]):
                cost[s, j, a, b] = value(self.slot_layer(s, r, self.kernels[a], self.expands[b]))
        return CostArray(base, cost)

    # --- identity --------------------------------------------------------------------------------------------

    def definition(self) -> dict[str, Any]:
        """Everything that makes the layers, in plain values; not name, resolutions and classes.

        `inside` are the convolutions of each stage's largest first layer, so that a kind of layer that was registered
        with other contents is another space.
        """
        own = {f.name: getattr(self, f.name) for f in fields(self) if f.init and f.name not in _NOT_OF_LAYERS}
        own |= {"width": float(self.width), "eps": float(self.eps)}  # 1 and 1.0 are one width
        return own | {"stages": [asdict(stage) for stage in self.stages], "inside": self._inside()}

    def _inside(self) -> list[list[tuple[Any, ...]]]:
        starts, largest = np.flatnonzero(self.position == 0).tolist(), (max(self.kernels), max(self.expands))
        layers = (self.slot_layer(slot, _REFERENCE_PIXELS, *largest) for slot in starts)
        return [
            [(c.in_channels, c.out_channels, c.kernel, c.stride, c.groups, c.act) for c in layer.convolutions]
            for layer in layers
        ]

    @cached_property
    def signature(self) -> str:
        """Twelve hexadecimal digits over everything but name, resolutions and classes."""
        return signature(self.definition())

    def has_signature(self, text: str) -> bool:
        """Whether a file that says this signature, of this version or an earlier one, is of this space."""
        return text in (self.signature, legacy_signature(self.definition()))
