"""Search spaces as users name them."""

from __future__ import annotations

from collections.abc import Sequence

from hwnas.space import SearchSpace, get_space, parse_resolutions

Resolutions = Sequence[int] | str | None
"""Pixels, a list or "FIRST:LAST:STEP"; None for the space's own."""


def pixels(resolutions: Resolutions) -> Sequence[int] | None:
    """As a list; "FIRST:LAST:STEP" is read."""
    return parse_resolutions(resolutions) if isinstance(resolutions, str) else resolutions


def space_of(space: str | SearchSpace, resolutions: Resolutions = None, classes: int | None = None) -> SearchSpace:
    """The space that a name, a file or an object stands for, with other resolutions or classes where given."""
    return get_space(space, pixels(resolutions), classes)
