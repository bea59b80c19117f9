"""Resolutions as users write them."""

from __future__ import annotations

from typing import overload

from profilers.errors import BadInput


@overload
def parse_resolutions(text: str) -> tuple[int, ...]: ...
@overload
def parse_resolutions(text: None) -> None: ...
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
