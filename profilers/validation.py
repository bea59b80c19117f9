"""The one layer that checks what was read: a type's annotations are its rules, its messages and its JSON Schema.

The types are frozen dataclasses, TypedDicts and NamedTuples. Everything is strict: no key that is not declared, no
number written as text, no number that is not finite. All faults of a file are raised at once, a line each
(`profilers.fault_lines`). What holds over several fields of a dataclass is its method `rules(found)`, if it has one.
pydantic is imported here and nowhere else, and this module only where something is checked.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Collection, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, NewType, TypeVar, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.json_schema import GenerateJsonSchema

from profilers.errors import BadInput, nearest
from profilers.fault_lines import ALIKE, Lines, Place, Style
from profilers.refusals import Lacking, Refusals, each

__all__ = ["Style", "check_fields", "check_plain", "draft", "json_schema", "validate"]

T = TypeVar("T")
_making = threading.RLock()  # pydantic parses sources for their docstrings, and Python 3.11's parser is of one thread
_new_type: Any = NewType  # called with types that mypy cannot know
CONFIG = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True)
_NOTHING: Any = object()


def validate(kind: type[T], value: Any, where: str, style: Style | None = None) -> T:
    """`value`, as JSON or TOML gives it, as an instance of `kind`.

    Args:
        kind: a dataclass, TypedDict, NamedTuple or any annotation of them.
        value: what was read; nothing in it is trusted.
        where: the source, for the message.
        style: of the message.

    Raises:
        BadInput: what was got and where, what is allowed, what mends it; `ManyRefusals` where that is several things.
            Of a style with a remedy, which is for files that programs write, only the first.
    """
    chosen, found = style or Style(), Refusals()
    made: T = draft(kind, value, where, found, chosen)
    if found and chosen.remedy:
        raise found.errors[0]
    found.raise_if_any()
    return made


def draft(
    kind: Any, value: Any, where: str, found: Refusals, style: Style | None = None, refused: Collection[str] = ()
) -> Any:
    """`validate`, for checks that go on after a fault: what does not fit goes to `found`.

    A field that does not fit raises `Lacking` where it is read, which `Refusals.collect` passes over. So do the fields
    `refused`, of which it has been said already that they do not fit.
    """
    lines = Lines(json_schema(kind), where, style or Style())
    own = Refusals()
    made = _NOTHING if refused else _read(_adapter(kind), value, lines, (), own)
    if (own or refused) and is_dataclass(kind):
        made, own = _by_field(kind, value, lines, own, refused)
    found.extend(own.errors)
    return made


def check_fields(instance: Any) -> None:
    """For a `__post_init__`: BadInput unless each field is what its annotation says, and the class's `rules` hold."""
    kind: Any = type(instance)
    found = Refusals()
    for name, adapter in _field_adapters(kind).items():
        try:
            adapter.validate_python(getattr(instance, name))
        except ValidationError as error:
            lines = Lines(json_schema(kind), "", Style())
            found.extend(lines.of(error.errors(include_url=False), instance, (name,)))
    found.raise_if_any()
    if hasattr(kind, "rules"):
        kind.rules(instance, found)
        found.raise_if_any()


def check_plain(value: Any, where: str) -> None:
    """BadInput unless `value` consists of what JSON and TOML can hold: texts, finite numbers, lists and mappings."""
    found = Refusals()
    found.extend(Lines({}, where, Style()).odd(value))
    found.raise_if_any()


class _Untitled(GenerateJsonSchema):
    """Without a title for each key that is the key again."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Never."""
        return False


@cache
def json_schema(kind: Any) -> dict[str, Any]:
    """The JSON Schema (2020-12) of what `validate` takes."""
    return _adapter(kind).json_schema(schema_generator=_Untitled)


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    """Of a new type, because a dataclass itself would want to bring its own configuration."""
    with _making:
        return TypeAdapter(_new_type("document", kind), config=CONFIG)


@cache
def _field_adapters(kind: Any) -> dict[str, TypeAdapter[Any]]:
    hints = get_type_hints(kind, include_extras=True)
    return {f.name: _adapter(hints[f.name]) for f in fields(kind)}


def _read(adapter: TypeAdapter[Any], value: Any, lines: Lines, place: Place, found: Refusals) -> Any:
    """What the adapter makes of `value`, which stands at `place`; _NOTHING where it does not fit."""
    text = _as_json(value)
    if not text:
        found.extend(lines.odd(value, place))
        return _NOTHING
    try:
        return adapter.validate_json(text)
    except ValidationError as error:
        found.extend(lines.of(error.errors(include_url=False), value, place))
    except BadInput as error:  # a rule over several fields, from a `__post_init__`
        found.extend(map(lines.refused, each(error)))
    return _NOTHING


def _as_json(value: Any) -> bytes:
    """JSON, because strict mode takes lists for tuples and texts for paths there only; empty if there is none."""
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError):
        return b""
    return b"" if b"\\u0000" in text else text


def _by_field(kind: Any, value: Any, lines: Lines, whole: Refusals, refused: Collection[str]) -> tuple[Any, Refusals]:
    """(what fits, all faults): each field by itself, because a rule that fails in one hides the faults of others."""
    if not isinstance(value, Mapping):
        return _partial(kind, {}), whole
    found = Refusals()
    fits = _defaults(kind) | _given(kind, value, lines, found, refused)
    made = _partial(kind, {name: x for name, x in fits.items() if x is not _NOTHING})
    if not found and not refused:  # they do not fit together
        return made, whole
    if hasattr(kind, "rules"):
        ruled = Refusals()
        with ruled.collect():
            kind.rules(made, ruled)
        found.extend(map(lines.refused, ruled.errors))
    return made, found


def _defaults(kind: Any) -> dict[str, Any]:
    """Of the fields that have one."""
    plain = {f.name: f.default for f in fields(kind) if f.default is not MISSING}
    return plain | {f.name: f.default_factory() for f in fields(kind) if f.default_factory is not MISSING}


def _given(
    kind: Any, value: Mapping[Any, Any], lines: Lines, found: Refusals, refused: Collection[str]
) -> dict[str, Any]:
    """The fields that `value` gives, `_NOTHING` where one does not fit; so is what an unknown key seems to mean."""
    adapters = {
        f.name: adapter for f, adapter in zip(fields(kind), _field_adapters(kind).values(), strict=True) if f.init
    }
    unknown = [key for key in value if key not in adapters and not lines.odd(key)]
    needed = adapters.keys() - value.keys() - _defaults(kind).keys() - set(refused)
    found.extend(line for key in value for line in lines.odd(key))
    found.extend(lines.keys((), unknown, [name for name in adapters if name in needed]))
    meant = [near for key in unknown if (near := nearest(key, list(adapters), ALIKE))]
    read = [name for name in adapters if name in value and name not in refused]
    fits = {name: _read(adapters[name], value[name], lines, (name,), found) for name in read}
    return dict.fromkeys((*meant, *refused), _NOTHING) | fits


def _partial(kind: Any, values: Mapping[str, Any]) -> Any:
    """An instance of which reading any other field raises `Lacking`."""

    def read(self: Any, name: str) -> Any:
        if name not in values and name in names:
            raise Lacking(name)
        return object.__getattribute__(self, name)

    names = {f.name for f in fields(kind)}
    made: Any = object.__new__(type(kind.__name__, (kind,), {"__getattribute__": read}))
    for name, value in values.items():
        object.__setattr__(made, name, value)
    return made
