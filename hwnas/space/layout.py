"""What stands where in a network: the stages, their slots, and the layer in each. The one walk over layers is here.

    S  slots, stage by stage       R  resolutions       options  of a layer: what it chooses of each attribute

Source: NSGANetV2, section 3.1; once-for-all's OFAMobileNetV3 and OFAProxylessNASNets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from itertools import product
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hwnas.space.arch import Architecture
from hwnas.space.attributes import Option
from hwnas.space.cost import CostArray
from hwnas.space.definition import Definition
from hwnas.space.identity import legacy_signature, signature
from hwnas.space.layer import LayerSpec, round_channels

_LATER = {"ops"}  # fields that are left out where they are empty, for the signatures of before
_NOT_OF_LAYERS = {"name", "resolutions", "resolution_bounds", "classes"}
_REFERENCE_PIXELS = 224


@dataclass(frozen=True)
class Layout(Definition):
    """Where the layers of a defined space stand."""

    @cached_property
    def _slots(self) -> dict[tuple[int, ...], list[int]]:
        """Of the depths that were asked for."""
        return {}

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
        if arch.d not in self._slots:
            self._slots[arch.d] = np.flatnonzero(self.present(np.array([arch.d]))[0]).tolist()
        return list(self._slots[arch.d])

    # --- choices ---------------------------------------------------------------------------------------------

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """Options of each attribute."""
        return tuple(len(a.options) for a in self.attributes)

    @cached_property
    def combinations(self) -> tuple[tuple[Option, ...], ...]:
        """Everything that a slot can choose; the last attribute changes first."""
        return tuple(product(*(a.options for a in self.attributes)))

    def label(self, options: Sequence[Option]) -> str:
        """A combination for people: "k5 e3 fused"."""
        pairs = zip(self.attributes, options, strict=True)
        return " ".join(f"{a.name[0]}{option}" if a.is_number else str(option) for a, option in pairs)

    def candidates(self, pick: Callable[[Any], Any]) -> list[tuple[Option, ...]]:
        """The combinations of the smallest (`min`) or the largest (`max`) numbers with every word."""
        return list(product(*((pick(a.options),) if a.is_number else a.options for a in self.attributes)))

    # --- layers ----------------------------------------------------------------------------------------------

    def slot_layer(self, slot: int, resolution: int, *options: Option) -> LayerSpec:
        """The layer that stands in a slot, given what it chooses of each attribute."""
        key = (slot, resolution, *options)
        if key not in self._specs:
            self._specs[key] = self._make_layer(slot, resolution, options)
        return self._specs[key]

    def _make_layer(self, slot: int, resolution: int, options: Sequence[Option]) -> LayerSpec:
        chosen: dict[str, Any] = {a.field: option for a, option in zip(self.attributes, options, strict=True)}
        index = int(self.stage_of[slot])
        stage, size = self.stages[index], self._stage_sizes(resolution)[index]
        channels, stride = self._entries[index], stage.stride
        if self.position[slot] > 0:
            size, channels, stride = -(-size // stage.stride), stage.channels, 1
        of_stage: dict[str, Any] = {"kind": stage.kind, "act": stage.act, "se": stage.se}
        return LayerSpec(
            **of_stage | chosen,
            size=size,
            in_channels=channels,
            out_channels=stage.channels,
            stride=stride,
            mid=round_channels(channels * chosen["expand"]),
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
                yield from (self.slot_layer(s, r, *options) for options in self.combinations)

    def compile(self, value: Callable[[LayerSpec], float]) -> CostArray:
        """Turn a sum over layers into a look-up: base[resolution] + sum of cost[slot, resolution, *options]."""
        shape = (self.slots, len(self.resolutions), len(self.combinations))
        cost, base = np.zeros(shape), np.zeros(len(self.resolutions))
        for j, r in enumerate(self.resolutions):
            base[j] = sum(value(layer) for part in self.fixed(r) for layer in part)
            for s, i in np.ndindex(shape[0], shape[2]):
                cost[s, j, i] = value(self.slot_layer(s, r, *self.combinations[i]))
        return CostArray(base, cost.reshape(*shape[:2], *self.counts))

    # --- identity --------------------------------------------------------------------------------------------

    def definition(self) -> dict[str, Any]:
        """Everything that makes the layers, in plain values; not name, resolutions and classes.

        `inside` are the convolutions of each stage's largest first layer (of each kind), so that a kind of layer that
        was registered with other contents is another space.
        """
        own = {f.name: getattr(self, f.name) for f in fields(self) if f.init and f.name not in _NOT_OF_LAYERS}
        own |= {"width": float(self.width), "eps": float(self.eps)}  # 1 and 1.0 are one width
        own = {name: value for name, value in own.items() if value != () or name not in _LATER}
        return own | {"stages": [asdict(stage) for stage in self.stages], "inside": self._inside()}

    def _inside(self) -> list[list[tuple[Any, ...]]]:
        places = product(np.flatnonzero(self.position == 0).tolist(), self.candidates(max))
        layers = (self.slot_layer(slot, _REFERENCE_PIXELS, *options) for slot, options in places)
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
