"""A single network: which space it belongs to, and what stands in for a space where it belongs to none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import zip_longest
from typing import Any, Protocol

from hwnas.space.arch import Architecture
from hwnas.space.base import SearchSpace
from hwnas.space.identity import digest
from hwnas.space.layer import LayerSpec
from profilers.errors import BadInput

NAME = "fixed"


class SpaceLike(Protocol):
    """What a search space and a fixed network have in common: all that counting and exporting ask for."""

    @property
    def name(self) -> str:
        """As in "mbv3"."""

    @property
    def signature(self) -> str:
        """Of what it is made of."""

    @property
    def in_channels(self) -> int:
        """Of the images."""

    @property
    def classes(self) -> int:
        """Length of the logits."""

    def layers(self, arch: Any, /) -> tuple[LayerSpec, ...]:
        """Every layer of a network."""


class ArchitectureLike(Protocol):
    """What an architecture and a fixed network have in common."""

    @property
    def id(self) -> str:
        """Ten hexadecimal digits."""

    @property
    def r(self) -> int:
        """Height and width of the images, pixels."""

    def to_json(self) -> dict[str, Any]:
        """What it is, in plain values."""


@dataclass(frozen=True)
class FixedNetwork:
    """A network of no space. It stands for a search space and for its one architecture at once.

    It can be counted, exported and measured, which ask for its layers; it has no genes, so no table predicts it.
    """

    specs: tuple[LayerSpec, ...]

    @property
    def name(self) -> str:
        """Of the space that it stands for."""
        return NAME

    @property
    def r(self) -> int:
        """Height and width of its images, pixels."""
        return self.specs[0].size

    @property
    def in_channels(self) -> int:
        """Of its images."""
        return self.specs[0].in_channels

    @property
    def classes(self) -> int:
        """Length of its logits."""
        return self.specs[-1].out_channels

    @property
    def id(self) -> str:
        """Ten hexadecimal digits over its layers."""
        return digest([asdict(spec) for spec in self.specs])[:10]

    @property
    def signature(self) -> str:
        """As of a space of this network alone."""
        return f"{NAME}-{self.id}"

    def to_json(self) -> dict[str, Any]:
        """Its layers' keys, which say everything about their shapes."""
        return {"layers": [spec.key for spec in self.specs], "r": self.r}

    def layers(self, arch: FixedNetwork, /) -> tuple[LayerSpec, ...]:
        """Every layer in order of execution."""
        return self.specs


def architecture_of(layers: Sequence[LayerSpec], space: SearchSpace) -> Architecture:
    """The architecture of `space` with exactly these layers.

    Raises:
        BadInput: there is none; the first layer that differs, or the choice that the space has not.
    """
    resolution = layers[0].size
    head, tail = space.fixed(resolution)
    slots = layers[len(head) : -len(tail)]
    if not slots or slots[0].skip:
        raise BadInput(f"a network of {len(layers)} layers", f"one of space {space.name}")
    starts = [i for i, spec in enumerate(slots) if not spec.skip]  # a stage begins where the shape changes
    depths = tuple(b - a for a, b in zip(starts, [*starts[1:], len(slots)], strict=True))
    choices = {a.key: [getattr(spec, a.field) for spec in slots] for a in space.attributes}
    arch = space.check(Architecture.of(depths, choices, resolution))
    for index, (ours, theirs) in enumerate(zip_longest(space.layers(arch), layers)):
        if ours != theirs:
            got, allowed = (spec.key if spec else "none" for spec in (theirs, ours))
            more = f", eps {ours.eps:g}" if ours and theirs and ours.key == theirs.key else ""
            raise BadInput(f"layer {index} is {got}", f"{allowed}{more} in space {space.name}")
    return arch
