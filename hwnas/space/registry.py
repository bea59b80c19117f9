"""Spaces by name, file or object, and the spaces of what hwnas has written.

A user names a space as a registered one, as FILE.toml, or as python:module:NAME. A file that hwnas writes holds the
definition of its space; nothing that stands in such a file is imported.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hwnas.space.base import SearchSpace
from hwnas.space.mbv3 import MBV3, MBV3_W12, SMALL, TINY
from hwnas.space.proxyless import PROXYLESS, PROXYLESSNAS
from lut.table.table import LatencyTable
from profilers.errors import BadInput, TableError, nearest
from profilers.files import read_text
from profilers.plugins import PREFIX, Registry

SpaceSource = str | SearchSpace  # what `get_space` takes
BUILT_IN: dict[str, SearchSpace] = {
    space.name: space for space in (MBV3, MBV3_W12, PROXYLESS, PROXYLESSNAS, SMALL, TINY)
}


def _check(name: str, value: Any) -> None:
    if not isinstance(value, SearchSpace):
        raise BadInput(f"space {name!r} is a {type(value).__name__}", "a hwnas.space.SearchSpace")


SPACES: Registry[SearchSpace] = Registry("hwnas.spaces", "space", BUILT_IN, _check)


def get_space(
    space: SpaceSource,
    resolutions: Sequence[int] | None = None,
    classes: int | None = None,
    folder: Path | None = None,
) -> SearchSpace:
    """A space, with other resolutions or another number of classes where given.

    Args:
        space: the name of a built-in one or of an installed package's, FILE.toml, `python:module:NAME`, or a space.
        resolutions: pixels.
        classes: of the classifier.
        folder: what a file or a module is relative to; by default the current folder.

    Raises:
        BadInput: an unknown name, a definition that is none, a resolution the space cannot have, or an impossible
            number of classes. FileProblem: the file cannot be read.

    >>> get_space("mbv3", resolutions=[224], classes=10).size == 7371**5
    True
    """
    found = space if isinstance(space, SearchSpace) else _named(space, folder)
    if resolutions is not None:
        found = _with_resolutions(found, resolutions)
    return found if classes is None else found.with_classes(classes)


def _named(text: str, folder: Path | None) -> SearchSpace:
    if text.endswith(".toml"):
        return read_space((folder or Path()) / text)
    return SPACES.find(text, folder)


def _with_resolutions(space: SearchSpace, resolutions: Sequence[int]) -> SearchSpace:
    chosen, (low, high) = tuple(sorted(set(resolutions))), space.resolution_bounds
    if not chosen or chosen[0] < low or chosen[-1] > high:
        raise BadInput(f"resolutions {list(chosen)}", f"{low} to {high} px in space {space.name}")
    return replace(space, resolutions=chosen)


def read_space(path: Path) -> SearchSpace:
    """The space of a TOML file, whose keys are the arguments of `SearchSpace`; its name is by default the file's.

    Raises:
        FileProblem: it cannot be read. BadInput: it is not TOML, or no definition of a space.
    """
    text = read_text(path)
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path} is not valid TOML: {error}") from error
    return SearchSpace.from_json({"name": path.stem, **data}, str(path))


def is_built_in(space: SearchSpace) -> bool:
    """Whether its name says everything: no space of one's own, and none that was changed under a built-in's name."""
    return space.name in BUILT_IN and BUILT_IN[space.name].signature == space.signature


def is_reference(text: str) -> bool:
    """Whether a text names a file or a module, which nothing but a user's own word makes hwnas open."""
    return text.startswith(PREFIX) or text.endswith(".toml")


def stored_space(
    name: str,
    definition: Mapping[str, Any] | None,
    resolutions: Sequence[int] | None = None,
    classes: int | None = None,
    *,
    where: str,
) -> SearchSpace:
    """The space that a file of ours says: by its definition, or by its name where that is a built-in one's.

    Raises:
        BadInput: neither; `where` names the file.
    """
    if definition is not None:
        found = SearchSpace.from_json(definition, f"{where}: the definition of its space")
        if found.name != name:
            raise BadInput(f"{where} is of a space {name!r}", f"{found.name!r}, as its definition says")
        return get_space(found, resolutions, classes)
    if name not in BUILT_IN:
        got = f"{where} is of a space {name!r}, whose definition it does not hold"
        raise BadInput(got, ", ".join(BUILT_IN), nearest(name, list(BUILT_IN)))
    return get_space(BUILT_IN[name], resolutions, classes)


def space_of_table(table: LatencyTable, classes: int | None = None) -> SearchSpace:
    """The space that a table was made for, by the definition in it (older tables: by name).

    Args:
        table: any.
        classes: by default those of the networks that were measured.

    Raises:
        TableError: a definition that is not that of the table's signature. BadInput: an unknown space.
    """
    own = table.space
    found = stored_space(own.name, own.definition, own.resolutions, classes or own.classes, where="the latency table")
    if own.definition is not None and not found.has_signature(own.signature):
        got = f"the latency table says signature {own.signature} of its space {own.name}"
        raise TableError(got, f"{found.signature}, which its definition has", "build the table again")
    return found
