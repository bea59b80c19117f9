"""A user's own function or object as a source of accuracies: `python:module:NAME`."""

from __future__ import annotations

from pathlib import Path

from hwnas.accuracy.given import Given, of
from hwnas.space import SearchSpace
from profilers.plugins import load_object


def python_function(
    where: Path,
    space: SearchSpace,
    *,
    unit: str | None = None,
    images: int | None = None,
    batch: int | None = None,
) -> Given:
    """`FOLDER/module:NAME`, imported with that folder on the path; runs the user's own code.

    Args:
        where: it.
        space: not needed.
        unit: percent or fraction, where the values may be either (`hwnas.accuracy.unit`).
        images: on how many it judges, which gives top-1 an interval.
        batch: how many networks it is given at a time, as a list; without it one, by itself.
    """
    return of(load_object(str(where)), batch=batch, unit=unit, images=images, name=f"python:{where.name}")
