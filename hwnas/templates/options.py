"""The options of accuracy sources, as their signatures and docstrings have them: what [evaluate] may hold."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hwnas.accuracy import SOURCES, timeout
from profilers.errors import BadInput


@dataclass(frozen=True)
class Option:
    """A key of [evaluate]; `default` is None where the source decides."""

    name: str
    default: Any
    meaning: str


def source_options(kind: str) -> tuple[Option, ...]:
    """Of a source.

    Raises:
        BadInput: it cannot be imported: that of a supernet needs torch.
    """
    make = _found(kind)
    meanings = _meanings(make)
    found = [p for p in inspect.signature(make).parameters.values() if p.kind is p.KEYWORD_ONLY]
    return tuple(Option(p.name, None if p.default is p.empty else p.default, meanings.get(p.name, "")) for p in found)


def evaluate_note(*kinds: str) -> str:
    """What a template says of [evaluate]: the options of these sources, by default of all, a line each."""
    shared = ["every source:", f"  {timeout.NAME}: {timeout.MEANING}"]
    return "\n".join([*shared, *(line for kind in kinds or tuple(SOURCES) for line in _lines(kind))])


def _lines(kind: str) -> list[str]:
    try:
        options = source_options(kind)
    except BadInput as error:
        return [f"{kind}: {error}"]
    if not options:
        return [f"{kind}: none"]
    return [f"{kind}:", *(f"  {_stated(option)}: {option.meaning}" for option in options)]


def _stated(option: Option) -> str:
    from hwnas.templates.writer import plain

    return option.name if option.default is None else f"{option.name} = {plain(option.default)}"


def _found(kind: str) -> Callable[..., Any]:
    try:
        return SOURCES.find(kind)
    except ImportError as error:
        raise BadInput(f"its options cannot be read: {error}", remedy="pip install torch") from error


def _meanings(make: Callable[..., Any]) -> dict[str, str]:
    """Of each argument, from the docstring's section "Args"."""
    text = inspect.getdoc(make) or ""
    section = re.search(r"^Args:\n((?:    .*\n?|\n)*)", text, re.MULTILINE)
    items = re.findall(r"^    (\w+): ((?:.*\n?)(?:^     .*\n?)*)", section[1] if section else "", re.MULTILINE)
    return {name: " ".join(meaning.split()) for name, meaning in items}
