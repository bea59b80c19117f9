"""The operations that a layer consists of, in the order in which they run.

    size, out    input and output height = width, pixels        part    names the operation within its layer

A layer's graph is a sequence: each operation reads what the one before it gives, and `Skip` adds the layer's input.
Everything that must know a layer's inside reads this: counts of parameters and multiply-adds, torch modules, the ONNX
writer, the kernels of a GPU, and the names of published tables.
"""

from __future__ import annotations

from dataclasses import dataclass

EPS = 1e-5  # what BatchNorm adds to the variance, where nothing else is said


@dataclass(frozen=True)
class Convolution:
    """A convolution (padding kernel // 2), its BatchNorm if `bn`, and its activation."""

    part: str
    size: int
    in_channels: int
    out_channels: int
    kernel: int = 1
    stride: int = 1
    groups: int = 1
    bn: bool = True
    bias: bool = False
    eps: float = EPS
    act: str = "none"

    @property
    def out(self) -> int:
        """Output height and width in pixels."""
        return -(-self.size // self.stride)

    @property
    def weight_shape(self) -> tuple[int, int, int, int]:
        """(out, in / groups, kernel, kernel)."""
        return self.out_channels, self.in_channels // self.groups, self.kernel, self.kernel

    @property
    def params(self) -> int:
        """Learnable parameters: weights, bias and two per BatchNorm channel."""
        weights = self.out_channels * (self.in_channels // self.groups) * self.kernel**2
        return weights + self.out_channels * (2 * self.bn + self.bias)

    @property
    def madds(self) -> int:
        """Multiply-adds for one image."""
        return self.out**2 * self.out_channels * (self.in_channels // self.groups) * self.kernel**2

    @property
    def convolutions(self) -> tuple[Convolution, ...]:
        """The convolutions inside: itself."""
        return (self,)


class Linear(Convolution):
    """A fully connected layer: a 1x1 convolution of a 1x1 image whose output is flat."""


@dataclass(frozen=True)
class Pool:
    """Global average pooling."""

    size: int
    channels: int
    part: str = "pool"
    out: int = 1

    @property
    def convolutions(self) -> tuple[Convolution, ...]:
        """None."""
        return ()


@dataclass(frozen=True)
class SqueezeExcite:
    """Each channel times its gate: global average pooling, 1x1 to `hidden`, ReLU, 1x1 back, hard sigmoid."""

    size: int
    channels: int
    hidden: int
    part: str = "se"

    @property
    def out(self) -> int:
        """Output height and width in pixels."""
        return self.size

    @property
    def reduce(self) -> Convolution:
        """The first of its convolutions."""
        part = f"{self.part}_reduce"
        return Convolution(part, 1, self.channels, self.hidden, bn=False, bias=True, act="relu")

    @property
    def expand(self) -> Convolution:
        """The second, which gives the gate."""
        part = f"{self.part}_expand"
        return Convolution(part, 1, self.hidden, self.channels, bn=False, bias=True, act="hsigmoid")

    @property
    def convolutions(self) -> tuple[Convolution, ...]:
        """The convolutions inside, in order."""
        return self.reduce, self.expand


@dataclass(frozen=True)
class Skip:
    """The layer's input is added."""

    size: int
    channels: int
    part: str = "skip"

    @property
    def out(self) -> int:
        """Output height and width in pixels."""
        return self.size

    @property
    def convolutions(self) -> tuple[Convolution, ...]:
        """None."""
        return ()


Operation = Convolution | Pool | SqueezeExcite | Skip
