"""How nodes are named, so that a runtime's times can be attributed to layers: `L07_expand` is of the layer at index 7.

Behind the index stands the part of the layer. Runtimes may append to a name (`L07_expand_nchwc`), never prepend.
"""

from __future__ import annotations

import re

_NAME = re.compile(r"L(\d{2,})_")


def node_name(index: int, part: str) -> str:
    """The name of a node: its layer's index with two digits or more, and its part of the layer."""
    return f"L{index:02d}_{part}"


def layer_of(name: str) -> int | None:
    """The layer index in a node's or tensor's name, or None if it is not one of ours."""
    match = _NAME.match(name)
    return int(match[1]) if match else None
