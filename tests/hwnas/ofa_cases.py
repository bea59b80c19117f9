"""Checkpoints of once-for-all's supernets with the weights of a recipe, and the logits that OFA's own code gives.

MobileNetV3: names, shapes and logits are in ../shared/published/ofa/mbv3_checkpoint_format.json.
ProxylessNAS: names and shapes follow from the few facts below, and `ofa_proxyless.json` holds every 50th logit of
three networks, computed with the package `ofa` 0.1.0.post202307202001 (mit-han-lab/once-for-all, MIT) the same way.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hwnas.nets import Network, Supernet
from hwnas.space import SearchSpace, get_space

FORMAT = Path(__file__).parents[3] / "shared/published/ofa/mbv3_checkpoint_format.json"
PROXYLESS = Path(__file__).with_name("ofa_proxyless.json")
FAMILIES = {"1.0": "mbv3", "1.2": "mbv3-w1.2", "1.3": "proxyless"}


@dataclass(frozen=True)
class Family:
    """A supernet: `cases` are {"arch", "input_seed", "params", "logits"}, the latter every `step`-th."""

    space: SearchSpace
    tensors: dict[str, torch.Tensor]
    cases: list[dict[str, Any]]
    step: int


def family(width: str) -> Family:
    """Of that width multiplier."""
    if width == "1.3":
        known, shapes = json.loads(PROXYLESS.read_text()), proxyless_shapes()
        step, cases = known["step"], known["cases"]
    elif not FORMAT.exists():
        pytest.skip(f"{FORMAT} is not here")
    else:
        part = json.loads(FORMAT.read_text())[width]
        step, cases, shapes = 1, part["cases"], part["shapes"]
    tensors = {name: tensor(name, shape) for name, shape in shapes.items()}
    return Family(get_space(FAMILIES[width]), tensors, cases, step)


def in_their_names(supernet: Supernet) -> dict[str, torch.Tensor]:
    """A supernet of ours as once-for-all's `state_dict` holds it, in the names of its newer code."""
    return {_theirs(name): value for name, value in supernet.state_dict().items()}


def network_in_their_names(network: Network, gaps: Sequence[int] = ()) -> dict[str, torch.Tensor]:
    """A network of ours as the `state_dict` of once-for-all's static one; `gaps` are blocks that are a shortcut."""
    numbers = iter(b for b in range(len(network.specs)) if b not in gaps)
    convolutions = iter(["first_conv", "final_expand_layer", "feature_mix_layer"])
    if network.specs[-2].kind == "pool":  # ProxylessNAS
        convolutions = iter(["first_conv", "feature_mix_layer"])
    names = {
        i: f"blocks.{next(numbers)}.mobile_inverted_conv" if spec.kind == "mbconv" else next(convolutions)
        for i, spec in enumerate(network.specs)
        if spec.kind in ("mbconv", "conv")
    }
    return {_of_network(name, names): value for name, value in network.state_dict().items()}


def _of_network(name: str, names: dict[int, str]) -> str:
    _, index, part, *leaf = name.split(".")
    if int(index) not in names:
        return f"classifier.linear.{leaf[-1]}"
    where = f"{names[int(index)]}.{OUR_PARTS[part]}" if part in OUR_PARTS else names[int(index)]
    return f"{where}.{leaf[-1]}" if part.startswith("se_") else f"{where}.{_unit('.'.join(leaf))}"


def _theirs(name: str) -> str:
    match = re.fullmatch(r"(?:first|slots\.(\d+))\.(\w+)\.(?:(conv|norm)\.)?(.+)", name)
    if match is None:
        head, _, rest = name.partition(".conv.")
        fixed = {"stem": "first_conv", "final": "final_expand_layer", "mix": "feature_mix_layer"}
        return name.replace("linear.conv.", "linear.") if head not in fixed else f"{fixed[head]}.{_unit(rest)}"
    slot, part, unit, leaf = match.groups()
    where = f"blocks.{int(slot) + 1 if slot else 0}.conv.{OUR_PARTS[part]}"
    if part.startswith("se_"):
        return f"{where}.{leaf}"
    once = _unit(f"{unit or 'conv'}.{leaf}")
    return f"{where}.{once}" if not slot or not unit else f"{where}.{once.partition('.')[0]}.{once}"


def _unit(rest: str) -> str:
    return rest.replace("norm.", "bn.")


OUR_PARTS = {
    "expand": "inverted_bottleneck",
    "depth": "depth_conv",
    "se_reduce": "depth_conv.se.fc.reduce",
    "se_expand": "depth_conv.se.fc.expand",
    "project": "point_linear",
}


def images(case: dict[str, Any], resolution: int) -> np.ndarray:
    """The input of a case (1, 3, r, r)."""
    rng = np.random.default_rng(case["input_seed"])
    return rng.normal(0, 1, (1, 3, resolution, resolution)).astype(np.float32)


def tensor(name: str, shape: list[int]) -> torch.Tensor:
    """The recipe in the published file: what a tensor of that name holds."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    if name.endswith("num_batches_tracked"):
        return torch.zeros(shape, dtype=torch.int64)
    if name.endswith("running_var"):
        value = rng.uniform(0.5, 1.5, shape)
    elif name.endswith("running_mean"):
        value = rng.normal(0, 0.1, shape)
    elif "_matrix" in name:
        value = np.eye(shape[0]) + rng.normal(0, 0.02, shape)
    elif len(shape) == 1:
        value = rng.uniform(0.5, 1.5, shape) if name.endswith("weight") else rng.normal(0, 0.1, shape)
    else:
        value = rng.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape)
    return torch.from_numpy(np.asarray(value, np.float32))


def proxyless_shapes() -> dict[str, list[int]]:
    """Names and shapes of OFA's `ofa_proxyless_d234_e346_k357_w1.3`, as its package names them."""
    shapes: dict[str, list[int]] = {}

    def unit(name: str, weight: list[int], wrap: str = "") -> None:
        conv, norm = (f"{name}.{part}.{part}" if wrap else f"{name}.{part}" for part in ("conv", "bn"))
        shapes[f"{conv}.weight"] = weight
        shapes.update({f"{norm}.{x}": weight[:1] for x in ("weight", "bias", "running_mean", "running_var")})
        shapes[f"{norm}.num_batches_tracked"] = []

    unit("first_conv", [40, 3, 3, 3])
    unit("blocks.0.conv.depth_conv", [40, 1, 3, 3])
    unit("blocks.0.conv.point_linear", [24, 40, 1, 1])
    widths = [24] + [width for width in (32, 56, 104, 128, 248) for _ in range(4)] + [416]
    for block, (before, width) in enumerate(pairwise(widths), 1):
        mid = before * 6 if (before * 6) % 8 == 0 else before * 6 + 4
        unit(f"blocks.{block}.conv.inverted_bottleneck", [mid, before, 1, 1], "elastic")
        unit(f"blocks.{block}.conv.depth_conv", [mid, 1, 7, 7], "elastic")
        shapes[f"blocks.{block}.conv.depth_conv.conv.7to5_matrix"] = [25, 25]
        shapes[f"blocks.{block}.conv.depth_conv.conv.5to3_matrix"] = [9, 9]
        unit(f"blocks.{block}.conv.point_linear", [width, mid, 1, 1], "elastic")
    unit("feature_mix_layer", [1664, 416, 1, 1])
    return shapes | {"classifier.linear.weight": [1000, 1664], "classifier.linear.bias": [1000]}
