"""What a space is made of, as data: its stages and choices, checked, and in plain values.

Keys of a TOML file, arguments of `SearchSpace` and what tables and checkpoints store are these fields.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from functools import cached_property
from math import prod
from typing import Annotated, Any, Self

from hwnas.space.attributes import KNOWN, Attribute
from hwnas.space.checks import (
    MOST_CHANNELS,
    MOST_KERNEL,
    MOST_PIXELS,
    check_classes,
    check_integer,
    check_integers,
    check_name,
    check_number,
    check_one_of,
    check_words,
)
from hwnas.space.layer import ACTIVATIONS, KINDS
from hwnas.space.resolutions import parse_resolutions
from profilers.constraints import AlsoText
from profilers.errors import BadInput
from profilers.onnx.operations import EPS

MOST_EXPAND = 64
MOST_LAYERS = 32  # of a stage
MOST_STAGES = 64
MOST_CHOICES = 255  # combinations of a layer: they are looked up as bytes


def stage_kinds() -> list[str]:
    """Kinds of layer that can stand in a stage."""
    return [kind for kind in KINDS if kind not in ("pool", "linear")]


@dataclass(frozen=True)
class Stage:
    """One block of the network; only its first layer has the stride.

    >>> Stage(channels=24, stride=2, act="relu", se=False).kind
    'mbconv'
    """

    channels: int
    """Of its layers' outputs."""
    stride: int
    """Of its first layer."""
    act: str
    """Activation: none, relu, relu6 or hswish."""
    se: bool
    """Whether its layers have squeeze-and-excite."""
    layers: int = 0
    """How many layers it has; 0: one of the space's depths."""
    kind: str = "mbconv"
    """Of its layers: mbconv, fused, conv, or one that was registered."""

    def __post_init__(self) -> None:
        check_integer("channels of a stage", self.channels, 1, MOST_CHANNELS)
        check_integer("stride of a stage", self.stride, 1, 4)
        check_integer("layers of a stage", self.layers, 0, MOST_LAYERS)
        check_one_of("activation of a stage", self.act, ACTIVATIONS)
        check_one_of("kind of a stage's layers", self.kind, stage_kinds())
        if not isinstance(self.se, bool):
            raise BadInput(f"se of a stage {self.se!r}", "True or False")


@dataclass(frozen=True)
class Definition:
    """Everything that defines a space."""

    name: str
    """A word."""
    stages: tuple[Stage, ...]
    """Between the first bottleneck and the final convolution."""
    resolutions: Annotated[tuple[int, ...], AlsoText(parse_resolutions, "192:256:4")]
    """Pixels of a side that its networks take, ascending."""
    stem: int
    """Channels of the first convolution, which is 3x3 with stride 2."""
    final: int
    """Channels of the last 1x1 convolution, in front of the pooling."""
    mix: int
    """Channels of the 1x1 convolution behind the pooling; 0: there is none."""
    resolution_bounds: tuple[int, int] = (1, MOST_PIXELS)
    """The smallest and the largest resolution that can be asked for."""
    width: float = 1.0
    """What the channels were multiplied by, for once-for-all's files; the channels here are the final ones."""
    in_channels: int = 3
    """Of the images."""
    classes: int = 1000
    """Of the classifier."""
    kernels: tuple[int, ...] = (3, 5, 7)
    """Kernel sizes of a layer, odd and ascending."""
    expands: tuple[int, ...] = (3, 4, 6)
    """Expansion ratios of a layer, ascending."""
    depths: tuple[int, ...] = (2, 3, 4)
    """Numbers of layers of a stage, ascending."""
    act: str = "hswish"
    """Activation of the stem and of the convolutions behind the stages."""
    first_act: str = "relu"
    """Activation of the first bottleneck."""
    first: int = 0
    """Channels of the fixed bottleneck behind the stem; 0: as the stem."""
    eps: float = EPS
    """What BatchNorm adds to the variance."""
    ops: tuple[str, ...] = ()
    """Kinds of layer that each layer chooses among, as mbconv and fused; without any, a stage says its own kind."""

    def __post_init__(self) -> None:
        check_name(self.name)
        if not isinstance(self.stages, tuple) or not self.stages or not all(isinstance(s, Stage) for s in self.stages):
            raise BadInput(f"stages of space {self.name}", "a tuple of one Stage or more")
        if len(self.stages) > MOST_STAGES:
            raise BadInput(f"{len(self.stages)} stages of space {self.name}", f"at most {MOST_STAGES}")
        self._check_channels()
        self._check_choices()

    def _check_channels(self) -> None:
        for what, least in {"in_channels": 1, "stem": 1, "first": 0, "final": 1, "mix": 0}.items():
            check_integer(f"{what} of space {self.name}", getattr(self, what), least, MOST_CHANNELS)
        check_classes(self.classes)
        check_number(f"width of space {self.name}", self.width, 0, 100)
        check_number(f"eps of space {self.name}", self.eps, 0, 1)
        check_one_of(f"activation of space {self.name}", self.act, ACTIVATIONS)
        check_one_of(f"first activation of space {self.name}", self.first_act, ACTIVATIONS)

    def _check_choices(self) -> None:
        check_integers(f"resolution bounds of space {self.name}", self.resolution_bounds, 1, MOST_PIXELS)
        if len(self.resolution_bounds) != 2:
            raise BadInput(f"resolution bounds of space {self.name} {self.resolution_bounds!r}", "two integers")
        low, high = self.resolution_bounds
        check_integers(f"resolutions of space {self.name}", self.resolutions, low, high)
        check_integers(f"kernels of space {self.name}", self.kernels, 1, MOST_KERNEL)
        check_integers(f"expands of space {self.name}", self.expands, 1, MOST_EXPAND)
        check_integers(f"depths of space {self.name}", self.depths, 1, MOST_LAYERS)
        self._check_strides()
        self._check_ops()
        if even := [k for k in self.kernels if k % 2 == 0]:
            raise BadInput(f"kernel {even[0]} of space {self.name}", "odd numbers")
        if (choices := prod(len(a.options) for a in self.attributes)) > MOST_CHOICES:
            raise BadInput(f"{choices} choices a layer in space {self.name}", f"at most {MOST_CHOICES}")

    def _check_strides(self) -> None:
        """The last stages may work on one pixel, but not on what was one pixel before."""
        shrink, least = 2 * prod(stage.stride for stage in self.stages), self.resolutions[0]
        if shrink > 2 * least:
            raise BadInput(f"stages of space {self.name} that shrink images of {least} px by {shrink}",
                           f"resolutions of {-(-shrink // 2)} px or more, or smaller strides")  # fmt: skip

    def _check_ops(self) -> None:
        if self.ops == ():
            return
        check_words(f"ops of space {self.name}", self.ops, stage_kinds())
        if other := [stage.kind for stage in self.stages if stage.kind != Stage.kind]:
            raise BadInput(f"a stage of kind {other[0]!r} in space {self.name}, whose layers choose among ops",
                           "ops, or a kind for each stage")  # fmt: skip

    @cached_property
    def attributes(self) -> tuple[Attribute, ...]:
        """What each layer chooses, in the order of genes and look-ups."""
        return tuple(Attribute(*known, options) for known, field in KNOWN if (options := getattr(self, field)))

    # --- plain values ----------------------------------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        """The whole definition in plain values, of which `from_json` makes the same space."""
        own = {f.name: getattr(self, f.name) for f in fields(self) if f.init}
        given = {name: value for name, value in own.items() if value != ()}
        plain = {name: list(value) if isinstance(value, tuple) else value for name, value in given.items()}
        return plain | {"stages": [asdict(stage) for stage in self.stages]}

    @classmethod
    def from_json(cls, value: Any, where: str = "a space") -> Self:
        """The space of a definition, which is not trusted; what has a default may be left out.

        Raises:
            BadInput: a key that is unknown or missing, or a value that is not allowed; `where` names the source.
        """
        from profilers.validation import Style, validate

        return validate(cls, value, where, Style(section="a section"))
