"""Reader of once-for-all's published supernets, MobileNetV3 and ProxylessNAS (a torch file {"state_dict": tensors}).

    theirs                                                          ours
    first_conv, blocks.0, final_expand_layer, feature_mix_layer     stem, first, final, mix
    first_conv, blocks.0, feature_mix_layer (ProxylessNAS)          stem, first, final
    blocks.(1 + s).mobile_inverted_conv.inverted_bottleneck         slots.s.expand
        … .depth_conv, .depth_conv.se.fc.reduce / expand, .point_linear     .depth, .se_reduce / se_expand, .project

Elastic tensors are wrapped once more in newer files (`conv.conv.weight`, `bn.bn.weight`), not in older ones
(`conv.weight`, `bn.weight`); some are saved from a `module.` wrapper, some call the block `conv`. All are read.
Source: mit-han-lab/once-for-all, `load_state_dict` of OFAMobileNetV3 and OFAProxylessNASNets.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from hwnas.nets.supernet import Supernet
from hwnas.space import SearchSpace
from profilers.errors import BadInput
from profilers.files import read_bytes

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


def read_ofa_checkpoint(path: Path, space: SearchSpace) -> Supernet:
    """The published supernet as ours, in evaluation mode.

    Args:
        path: the checkpoint.
        space: `mbv3`, `mbv3-w1.2` or `proxyless` (or of other resolutions) that it was trained for.

    Raises:
        BadInput: not a torch file of tensors, or tensors that are missing, unknown or of another shape.
    """
    theirs = _read_tensors(path)
    supernet = Supernet(space)
    ours = supernet.state_dict()
    for name, value in theirs.items():
        if name.endswith("num_batches_tracked"):
            continue
        target = rename(name, space)
        if target not in ours:
            raise BadInput(f"{path} has a tensor {name!r}", f"those of OFA's supernet of space {space.name}")
        ours[target] = _shaped(value, ours[target], name, path)
    missing = set(ours) - {rename(name, space) for name in theirs}
    if missing := {name for name in missing if not name.endswith("num_batches_tracked")}:
        raise BadInput(f"{path} lacks {len(missing)} tensors of space {space.name}, as {min(missing)}")
    supernet.load_state_dict(ours)
    return supernet.eval()


def is_torch_file(path: Path) -> bool:
    """Whether a file was written by torch.save (a zip archive, or a pickle in old ones)."""
    return read_bytes(path)[:2] in (b"PK", b"\x80\x02")


def rename(name: str, space: SearchSpace) -> str:
    """Our name of one of their tensors; a name that is not theirs comes back as it is."""
    fixed = _FIXED if space.mix else _FIXED | _WITHOUT_MIX
    name = name.removeprefix("module.")
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


def _read_tensors(path: Path) -> Mapping[str, Tensor]:
    data = read_bytes(path)
    try:
        content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadInput(f"{path} is not a torch file of plain tensors: {reason[:120]}") from error
    content = content.get("state_dict", content) if isinstance(content, dict) else content
    if not isinstance(content, dict) or not all(isinstance(v, Tensor) for v in content.values()):
        raise BadInput(f"{path} does not hold named tensors", 'a torch file {"state_dict": tensors}')
    return content


def _shaped(value: Tensor, like: Tensor, name: str, path: Path) -> Tensor:
    if value.ndim == 2 and like.ndim == 4:
        value = value[:, :, None, None]  # a linear map is a 1x1 convolution here
    if value.shape != like.shape:
        raise BadInput(
            f"{name} in {path} has shape {list(value.shape)}", f"{list(like.shape)}", "the space of that width"
        )
    return value.to(like.dtype)
