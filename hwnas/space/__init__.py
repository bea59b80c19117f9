"""Search spaces by name. A new space is one file that makes a `SearchSpace` and one line here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hwnas.space.arch import Architecture
from hwnas.space.base import Genes, SearchSpace
from hwnas.space.cost import CostArray
from hwnas.space.layer import LayerSpec, register_kind
from hwnas.space.layout import Stage
from hwnas.space.mbv3 import MBV3, MBV3_W12, TINY
from hwnas.space.proxyless import PROXYLESS, PROXYLESSNAS
from profilers.errors import BadInput
from profilers.onnx.operations import Convolution

SPACES = {space.name: space for space in (MBV3, MBV3_W12, PROXYLESS, PROXYLESSNAS, TINY)}


def get_space(name: str, resolutions: Sequence[int] | None = None, classes: int | None = None) -> SearchSpace:
    """The space of that name, with other resolutions or another number of classes where given.

    Raises:
        BadInput: an unknown name, a resolution the space cannot have, or an impossible number of classes.
    """
    if name not in SPACES:
        raise BadInput(f"unknown space {name!r}", ", ".join(sorted(SPACES)))
    space = SPACES[name]
    chosen = space.resolutions if resolutions is None else tuple(sorted(set(resolutions)))
    low, high = space.resolution_bounds
    if not chosen or chosen[0] < low or chosen[-1] > high:
        raise BadInput(f"resolutions {list(chosen)}", f"{low} to {high} px in space {name}")
    return replace(space, resolutions=chosen).with_classes(space.classes if classes is None else classes)


def parse_resolutions(text: str | None) -> tuple[int, ...] | None:
    """`FIRST:LAST:STEP` (both ends included) or a comma-separated list of pixels; None stays None."""
    if text is None:
        return None
    try:
        if ":" in text:
            first, last, step = (int(x) for x in text.split(":"))
            values = tuple(range(first, last + 1, step)) if step > 0 else ()
        else:
            values = tuple(int(x) for x in text.split(","))
    except ValueError:
        values = ()
    if not values:
        raise BadInput(f"resolutions {text!r}", "FIRST:LAST:STEP, as in 192:256:4, or a list, as in 160,192,224")
    return values


__all__ = [
    "SPACES",
    "Architecture",
    "Convolution",
    "CostArray",
    "Genes",
    "LayerSpec",
    "SearchSpace",
    "Stage",
    "get_space",
    "parse_resolutions",
    "register_kind",
]
