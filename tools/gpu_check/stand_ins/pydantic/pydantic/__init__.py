"""Stands in for pydantic where that is missing: it reads JSON into the types of hwnas, and hardly checks it.

Enough for files that this same program has written a moment before, and for nothing else. A type becomes a function
that reads a value; what does not fit raises ValueError, by which the members of a union are told apart.
"""

from __future__ import annotations

import json
import types
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Any, Literal, NewType, Union, get_args, get_origin, get_type_hints, is_typeddict

Read = Callable[[Any], Any]
ConfigDict = dict


class ValidationError(ValueError):
    """A document that does not fit."""

    def errors(self, **_: Any) -> list[dict[str, Any]]:
        """One fault, without its place."""
        return [{"type": "value_error", "loc": (), "msg": str(self), "input": None}]


class TypeAdapter:
    """Reads a type."""

    def __init__(self, kind: Any, **_: Any) -> None:
        self.kind = kind

    def validate_json(self, text: bytes) -> Any:
        """The value of a JSON text."""
        value = json.loads(text)
        try:
            return reader(self.kind)(value)
        except (TypeError, ValueError, KeyError) as error:
            raise ValidationError(f"{type(error).__name__}: {error}") from error

    def validate_python(self, value: Any) -> Any:
        """Unchecked."""
        return value

    def json_schema(self, **_: Any) -> dict[str, Any]:
        """Nothing is known."""
        return {}


class _Handler:
    """What a hook `__get_pydantic_core_schema__` is called with; both of its names give a reader."""

    def __call__(self, kind: Any) -> Read:
        return _plain(kind)

    def generate_schema(self, kind: Any) -> Read:
        """Of another type."""
        return reader(kind)


def reader(kind: Any) -> Read:
    """The function that reads values of a type, by its own hook where it has one."""
    if isinstance(kind, NewType):
        return reader(kind.__supertype__)
    if get_origin(kind) is Annotated:
        return _annotated(*get_args(kind))
    hook = getattr(kind, "__get_pydantic_core_schema__", None)
    return hook(kind, _Handler()) if hook else _plain(kind)


def _annotated(kind: Any, *marks: Any) -> Read:
    read = reader(kind)
    for mark in marks:
        if hook := getattr(mark, "__get_pydantic_core_schema__", None):
            read = hook(kind, lambda _, inner=read: inner)
    return read


def _plain(kind: Any) -> Read:
    origin, inside = get_origin(kind), get_args(kind)
    if kind is Any or origin is Literal:
        return lambda value: value
    if origin in (Union, types.UnionType):
        return partial(_either, [reader(one) for one in inside])
    if origin is not None:
        return _container(origin, inside)
    if is_dataclass(kind) or is_typeddict(kind) or hasattr(kind, "_fields"):
        return partial(_record, kind)
    return partial(_scalar, kind)


def _either(readers: list[Read], value: Any) -> Any:
    for read in readers:
        try:
            return read(value)
        except (TypeError, ValueError, KeyError):
            continue
    raise ValueError(f"{value!r} is of no member of the union")


def _container(origin: Any, inside: tuple[Any, ...]) -> Read:
    if issubclass(origin, tuple):
        return partial(_tuple, inside)
    readers = [reader(kind) for kind in inside]
    if len(readers) == 2:
        return lambda value: {readers[0](key): readers[1](x) for key, x in dict(value).items()}
    made = origin if origin in (set, frozenset) else list
    return lambda value: made(map(readers[0], _list(value)))


def _tuple(inside: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    items = _list(value)
    kinds = inside[:1] * len(items) if inside[-1] is ... else inside
    return tuple(reader(kind)(item) for kind, item in zip(kinds, items, strict=True))


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise ValueError(f"{value!r} is no list")
    return list(value)


@cache
def _readers(kind: Any) -> dict[str, Read]:
    hints = get_type_hints(kind, include_extras=True)
    names = [f.name for f in fields(kind) if f.init] if is_dataclass(kind) else list(hints)
    return {name: reader(hints[name]) for name in names}


def _record(kind: Any, value: Any) -> Any:
    readers = _readers(kind)
    if isinstance(value, list) and hasattr(kind, "_fields"):  # a NamedTuple
        value = dict(zip(readers, value, strict=True))
    if not isinstance(value, dict):
        raise ValueError(f"{value!r} is no {kind.__name__}")
    return kind(**{name: readers[name](x) for name, x in value.items()})


def _scalar(kind: Any, value: Any) -> Any:
    if kind in (list, dict, type(None), bool, str) and not isinstance(value, kind):
        raise ValueError(f"{value!r} is no {kind.__name__}")
    if kind in (int, float) and (isinstance(value, bool) or not isinstance(value, int | kind)):
        raise ValueError(f"{value!r} is no {kind.__name__}")
    return kind(value) if kind in (int, float, Path) else value
