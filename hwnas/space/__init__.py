"""Search spaces. A space is data: an instance of `SearchSpace`, a TOML file, or a line in `registry.py`."""

from __future__ import annotations

from hwnas.callable_room import make_callable
from hwnas.space.arch import Architecture
from hwnas.space.base import Genes, SearchSpace
from hwnas.space.cost import CostArray
from hwnas.space.definition import Stage
from hwnas.space.layer import LayerSpec, register_kind
from hwnas.space.overview import SpaceProfile, Spread
from hwnas.space.registry import SPACES, get_space, is_built_in, read_space, space_of_table, stored_space
from hwnas.space.resolutions import parse_resolutions
from profilers.onnx.operations import Convolution

__all__ = [
    "SPACES",
    "Architecture",
    "Convolution",
    "CostArray",
    "Genes",
    "LayerSpec",
    "SearchSpace",
    "SpaceProfile",
    "Spread",
    "Stage",
    "get_space",
    "is_built_in",
    "parse_resolutions",
    "read_space",
    "register_kind",
    "space_of_table",
    "stored_space",
]

make_callable(__name__, "hwnas.api.space_profile:space")  # so that `hwnas.space(…)` is the command too
