"""The kinds of inputs, a module each, which has a `KIND`."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from tools.campaign.case import Kind


def names() -> list[str]:
    """Of all kinds: their modules' names with `-` for `_`."""
    return sorted(found.name.replace("_", "-") for found in iter_modules(__path__) if not found.name.startswith("_"))


def named(name: str) -> Kind:
    """The kind of that name."""
    kind: Kind = import_module(f"{__name__}.{name.replace('-', '_')}").KIND
    return kind
