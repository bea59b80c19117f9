"""The space in a configuration: `space` is its name, and `definition` says the rest where it is no built-in one.

Users write a name, FILE.toml or python:module:NAME under `space`. When their file is read, what is not built in is
looked up once and its definition takes its place, so that nothing depends on the current folder afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from hwnas.space.base import SearchSpace
from hwnas.space.registry import BUILT_IN, SPACES, get_space, is_built_in, is_reference, stored_space
from profilers.refusals import Refusals

T = TypeVar("T", bound=Any)  # a dataclass with the fields `space` and `definition`


def spelled(space: SearchSpace) -> dict[str, Any]:
    """`space` and `definition` of a configuration for `space`; a built-in one's name says everything."""
    return {"space": space.name, "definition": None if is_built_in(space) else space.to_json()}


def with_definition(data: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The keys of a configuration in `folder`, with the definition of the space that they name.

    What names no space is left as it is, for the check of the configuration to say so.
    """
    text = data.get("space")
    own = isinstance(text, str) and text not in BUILT_IN and (is_reference(text) or text in SPACES)
    if not isinstance(text, str) or not own or "definition" in data:
        return dict(data)
    return {**data, **spelled(get_space(text, folder=folder))}


def defined(data: Mapping[str, Any], folder: Path, found: Refusals) -> tuple[dict[str, Any], tuple[str, ...]]:
    """(`with_definition`, the keys that were refused in doing so), for checks that go on after that."""
    before = len(found.errors)
    with found.collect():
        return with_definition(data, folder), ()
    return dict(data), ("space",) if len(found.errors) > before else ()


def settled(config: T) -> T:
    """The same configuration, which no longer depends on a file or a module."""
    space = configured_space(config)
    return replace(config, **spelled(space)) if config.definition is None else config


def configured_space(config: Any, resolutions: Sequence[int] | None = None, classes: int | None = None) -> SearchSpace:
    """The space of a configuration.

    Raises:
        BadInput: an unknown space, or a definition that is none.
    """
    if config.definition is None:
        return get_space(config.space, resolutions, classes)
    return stored_space(config.space, config.definition, resolutions, classes, where="the configuration")
