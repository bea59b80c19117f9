"""Reader of once-for-all's supernets, MobileNetV3 and ProxylessNAS: what it publishes and what its trainers write.

    theirs                                                          ours
    first_conv, blocks.0, final_expand_layer, feature_mix_layer     stem, first, final, mix
    first_conv, blocks.0, feature_mix_layer (ProxylessNAS)          stem, first, final
    blocks.(1 + s).mobile_inverted_conv.inverted_bottleneck         slots.s.expand
        … .depth_conv, .depth_conv.se.fc.reduce / expand, .point_linear     .depth, .se_reduce / se_expand, .project

Elastic tensors are wrapped once more in newer files (`conv.conv.weight`, `bn.bn.weight`), not in older ones
(`conv.weight`, `bn.weight`); some call the block `conv`. All are read. The number of classes is the file's. Without
kernel transformation matrices (the largest network, which training starts from, or KERNEL_TRANSFORM_MODE None) smaller
kernels are centres of the larger ones, which identity matrices give exactly.
Source: mit-han-lab/once-for-all, `load_state_dict` of OFAMobileNetV3 and OFAProxylessNASNets, `dynamic_op.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from torch import Tensor

from hwnas.nets.supernet import Supernet
from hwnas.ofa.state_dict import Weights, read_weights
from hwnas.space import SearchSpace
from hwnas.space.registry import BUILT_IN
from profilers.errors import BadInput
from profilers.files import read_bytes
from profilers.progress import say
from profilers.published import doubt, is_published

_FIXED = {
    "first_conv": "stem.conv",
    "final_expand_layer": "final.conv",
    "feature_mix_layer": "mix.conv",
    "classifier": "classifier.linear",
}
_WITHOUT_MIX = {"feature_mix_layer": "final.conv"}  # ProxylessNAS calls the convolution before the pooling so
_PARTS = {
    "inverted_bottleneck": "expand",
    "depth_conv.se.fc.reduce": "se_reduce",  # before its prefix, for the pattern below
    "depth_conv.se.fc.expand": "se_expand",
    "depth_conv": "depth",
    "point_linear": "project",
}
_BLOCK = re.compile(rf"blocks\.(\d+)\.(?:mobile_inverted_conv|conv)\.({'|'.join(map(re.escape, _PARTS))})\.(.+)")
_LEAF = re.compile(r"(?:(?:conv|bn|linear)\.)*(\w+)")
_SPACES = ("mbv3", "mbv3-w1.2", "proxyless")  # that they publish supernets of
_CLASSIFIER = "classifier.linear.conv.weight"
COUNTED = "num_batches_tracked"  # batches, which nothing here goes by


@dataclass(frozen=True)
class OfaCheckpoint:
    """A file's weights under our names, before it is known of which space they are."""

    path: Path
    weights: Weights
    tensors: Mapping[str, Tensor]

    @classmethod
    def read(cls, path: Path) -> OfaCheckpoint:
        """BadInput, FileProblem as of `read_weights`."""
        weights = read_weights(path)
        mix = any(name.startswith("final_expand_layer.") for name in weights.tensors)
        named = {rename(k, mix): v for k, v in weights.tensors.items() if not k.endswith(COUNTED)}
        return cls(path, weights, named)

    @property
    def elastic(self) -> bool:
        """Whether it has kernel transformation matrices."""
        return any(name.endswith("_matrix") for name in self.tensors)

    @property
    def parameters(self) -> int:
        """Learnable numbers, all networks together."""
        return sum(v.numel() for k, v in self.tensors.items() if ".running_" not in k)

    def classes(self) -> int:
        """Of its classifier; BadInput if it has none."""
        weight = self.tensors.get(_CLASSIFIER)
        if weight is None or weight.ndim < 2:
            raise BadInput(f"{self.path} lacks the classifier of a supernet", "classifier.linear.weight (classes, n)")
        return len(weight)

    def find_space(self) -> SearchSpace:
        """The built-in space whose widths and depths it has, with its number of classes; BadInput if there is none."""
        if (found := self._built_in()) is not None:
            return found.with_classes(self.classes())
        raise BadInput(
            f"{self.path} is no supernet of once-for-all: {self._contents()}", f"one of {', '.join(_SPACES)}"
        )

    def _built_in(self) -> SearchSpace | None:
        return next((space for space in BUILT_IN.values() if self._has_widths_of(space)), None)

    def _contents(self) -> str:
        """What is in a file that is no supernet, for a message."""
        blocks = [name for name in self.tensors if re.match(r"slots\.\d+\.project\.conv\.weight", name)]
        if blocks and not self.elastic and "stem.conv.conv.weight" in self.tensors:
            return f"one network of {len(blocks) + 1} blocks"
        first = next(iter(self.weights.tensors))
        return f"{len(self.weights.tensors)} tensors, the first of them {first!r}"

    def _has_widths_of(self, space: SearchSpace) -> bool:
        largest = (space.slot_layer(s, space.resolutions[0], *space.combinations[-1]) for s in range(space.slots))
        expected = {f"slots.{s}.project.conv.weight": (x.out_channels, x.mid) for s, x in enumerate(largest)}
        expected |= {"stem.conv.conv.weight": (space.stem, space.in_channels)}
        expected |= {"final.conv.conv.weight": (space.final, space.stages[-1].channels)}
        beyond = f"slots.{space.slots}.project.conv.weight"
        shapes = {name: tuple(self.tensors[name].shape[:2]) for name in expected if name in self.tensors}
        return shapes == expected and beyond not in self.tensors

    def _check_widths(self, space: SearchSpace) -> None:
        """BadInput if it is of another built-in space."""
        own = self._built_in()
        if own is not None and own.signature != space.signature and not self._has_widths_of(space):
            got = f"{self.path} is a supernet of space {own.name}"
            raise BadInput(got, f"space {space.name}", f'space = "{own.name}"')

    def supernet(self, space: SearchSpace) -> Supernet:
        """Ours with these weights, in evaluation mode, with as many classes as they have; raises as the function."""
        self._check_widths(space)
        supernet = Supernet(space.with_classes(self.classes()))
        ours = supernet.state_dict()
        for name, value in self.tensors.items():
            if name not in ours:
                raise BadInput(f"{self.path} has a tensor {name!r}", f"those of OFA's supernet of space {space.name}")
            ours[name] = shaped(value, ours[name], name, self.path, "the space of that width")
        missing = {name for name in set(ours) - set(self.tensors) if not name.endswith(COUNTED)}
        if not self.elastic:
            missing = {name for name in missing if not name.endswith("_matrix")}  # ours start as identities
        if missing:
            raise BadInput(f"{self.path} lacks {len(missing)} tensors of space {space.name}, as {min(missing)}")
        supernet.load_state_dict(ours)
        return supernet.eval()


def read_ofa_checkpoint(path: Path, space: SearchSpace | None = None) -> Supernet:
    """A supernet of once-for-all as ours, in evaluation mode, with the file's number of classes.

    Args:
        path: the checkpoint.
        space: that it was trained for, of any resolutions and classes; by default the built-in one that it fits.

    Raises:
        BadInput: no torch file of tensors, or tensors that are missing, unknown or of another shape.
    """
    found = OfaCheckpoint.read(path)
    if found.weights.others:
        _say_once(f"{path}: {found.weights} are taken")
    if not is_published(read_bytes(path)):
        _say_once(doubt([str(path)]))
    return found.supernet(found.find_space() if space is None else space)


@cache
def _say_once(line: str) -> None:
    """Of a file that is opened several times."""
    say(f"hwnas: {line}")


def rename(name: str, mix: bool) -> str:
    """Our name of one of their tensors; a name that is not theirs comes back as it is.

    `mix` says whether the network has a final_expand_layer before its feature_mix_layer, as MobileNetV3.
    """
    fixed = _FIXED if mix else _FIXED | _WITHOUT_MIX
    if match := _BLOCK.fullmatch(name):
        block = int(match[1])
        where = f"slots.{block - 1}" if block else "first"
        return f"{where}.{_PARTS[match[2]]}.{_leaf(match[3])}"
    head, _, rest = name.partition(".")
    return f"{fixed[head]}.{_leaf(rest)}" if head in fixed else name


def _leaf(rest: str) -> str:
    match = _LEAF.fullmatch(rest)
    leaf = match[1] if match else rest
    if leaf.endswith("_matrix"):
        return leaf
    return f"norm.{leaf}" if "bn." in rest else f"conv.{leaf}"


def shaped(value: Tensor, like: Tensor, name: str, path: Path, remedy: str) -> Tensor:
    """A tensor of `path` as ours is, which may differ in type; BadInput for another shape."""
    if value.ndim == 2 and like.ndim == 4:
        value = value[:, :, None, None]  # a linear map is a 1x1 convolution here
    if value.shape != like.shape:
        raise BadInput(f"{name} in {path} has shape {list(value.shape)}", f"{list(like.shape)}", remedy)
    return value.to(like.dtype)
