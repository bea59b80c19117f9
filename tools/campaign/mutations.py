"""Mutations: of bytes, and of the trees that JSON and TOML hold. Each says in words what it did."""

from __future__ import annotations

import copy
import datetime
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

Place = tuple[str | int, ...]


# --- bytes ----------------------------------------------------------------------------------------------------------


def of_bytes(random: Random, data: bytes) -> tuple[str, bytes]:
    """(what was done, the other bytes)."""
    change = random.choice(_CHANGES)
    at = random.randrange(len(data)) if data else 0
    end = min(len(data), at + 1 + int(random.expovariate(1 / 40)))
    return f"{change.__name__.strip('_')} {at}:{end}", change(random, data, at, end)


def _flip(random: Random, data: bytes, at: int, end: int) -> bytes:
    changed = bytearray(data)
    for place in [at, *(random.randrange(len(data)) for _ in range(random.choice((0, 0, 0, 3, 30))) if data)]:
        if changed:
            changed[place] ^= 1 << random.randrange(8)
    return bytes(changed)


def _cut(random: Random, data: bytes, at: int, end: int) -> bytes:
    return data[:at]


def _drop(random: Random, data: bytes, at: int, end: int) -> bytes:
    return data[:at] + data[end:]


def _repeat(random: Random, data: bytes, at: int, end: int) -> bytes:
    return data[:end] + data[at:end] * random.choice((1, 2, 200)) + data[end:]


def _insert(random: Random, data: bytes, at: int, end: int) -> bytes:
    return data[:at] + random.choice(_ODD_BYTES) + data[at:]


def _overwrite(random: Random, data: bytes, at: int, end: int) -> bytes:
    return data[:at] + random.choice(_ODD_BYTES)[: end - at].ljust(end - at, b"\xff") + data[end:]


def _zero(random: Random, data: bytes, at: int, end: int) -> bytes:
    return data[:at] + bytes(end - at) + data[end:]


def _noise(random: Random, data: bytes, at: int, end: int) -> bytes:
    return data[:at] + random.randbytes(end - at) + data[end:]


def _move(random: Random, data: bytes, at: int, end: int) -> bytes:
    rest = data[:at] + data[end:]
    to = random.randrange(len(rest) + 1)
    return rest[:to] + data[at:end] + rest[to:]


_CHANGES = (_flip, _flip, _flip, _cut, _drop, _repeat, _insert, _overwrite, _zero, _noise, _move)
_ODD_BYTES = (
    b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"\x1b[31m", b"\xef\xbb\xbf", b"\n", b'"', b"{", b"[" * 5000, b"9" * 5000,
    b"1e999", b"-", b"NaN", b"\r", "\u202e".encode(), "😀".encode(), b"\\u0000", b"\\ud800",
)  # fmt: skip


# --- trees ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Raw:
    """Text that stands in a file as it is, where JSON's or TOML's own writer would not write it."""

    text: str


HOSTILE: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 7, 3.5, 0.1, -0.5, 1e-300, 5e-324, 1e300, 1e6, 10**9, 10**30,
    2**31, 2**53 + 1, 2**63, 2**64, -(2**63),
    Raw("1e999"), Raw("-1e999"), Raw("9" * 5000), Raw("-" + "9" * 5000), Raw("NaN"), Raw("Infinity"), Raw("1e-999"),
    "", " ", "0", "nan", "x", "\0", "a\0b", "\x1b[31mred", "\u202eright to left", "\ud800", "é", "😀",
    "x" * 400, "y" * 100_000, "1" * 5000, "a\nb", "a\rb",
    "../../x", "/etc/passwd", "/dev/zero", "/proc/self/mem", "~", ".", "..", "CON", "${HOME}", "%s%n", "=cmd()",
    "python:os:getcwd", "<script>alert(1)</script>",
    [], {}, [[]], [None], [0], [""], {"": 0}, {"x": {}}, [1, "x", None], [0] * 10_000,
    {f"k{i}": i for i in range(2000)}, {"__class__": "x"},
    datetime.date(2026, 1, 1), datetime.datetime(2026, 1, 1, 12), datetime.time(12, 30),
)  # fmt: skip


def deep(levels: int) -> list[Any]:
    """Lists inside each other."""
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


def of_tree(random: Random, tree: Any, hostile: tuple[Any, ...] = HOSTILE, most: int = 1) -> tuple[str, Any]:
    """(what was done, another tree) with 1 to `most` changes; the given one stays as it is."""
    tree, words = copy.deepcopy(tree), []
    for _ in range(random.randint(1, most)):
        place = random.choice(list(places(tree)))
        change = random.choice(_TREE_CHANGES)
        tree = change(random, tree, place, hostile)
        words.append(f"{change.__name__.strip('_')} {'.'.join(map(str, place)) or 'all'}")
    return ", ".join(words), tree


def places(tree: Any, above: Place = ()) -> Iterator[Place]:
    """Of all values in it, the whole itself first."""
    yield above
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for name, value in items:
        yield from places(value, (*above, name))


def at(tree: Any, place: Place) -> Any:
    """The value there."""
    for part in place:
        tree = tree[part]
    return tree


def put(tree: Any, place: Place, value: Any) -> Any:
    """The tree with a value there, which is another where the place is the whole."""
    if not place:
        return value
    at(tree, place[:-1])[place[-1]] = value
    return tree


def _set(random: Random, tree: Any, place: Place, hostile: tuple[Any, ...]) -> Any:
    return put(tree, place, copy.deepcopy(random.choice(hostile)))


def _near(random: Random, tree: Any, place: Place, hostile: tuple[Any, ...]) -> Any:
    """A value of the same type, so that it is taken as often as not."""
    value = at(tree, place)
    if isinstance(value, str):
        cut = random.randrange(len(value) + 1)
        return put(tree, place, value[:cut] + random.choice(("", "0", "é", " ", "A")) + value[cut + 1 :])
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _set(random, tree, place, hostile)
    near = (value + 1, value - 1, -value, value * 2, value * 10, value / 3, value * 1.0000001)
    return put(tree, place, random.choice(near))


def _remove(random: Random, tree: Any, place: Place, hostile: tuple[Any, ...]) -> Any:
    if not place:
        return type(tree)() if isinstance(tree, dict | list) else None
    del at(tree, place[:-1])[place[-1]]
    return tree


def _add(random: Random, tree: Any, place: Place, hostile: tuple[Any, ...]) -> Any:
    value, new = at(tree, place), copy.deepcopy(random.choice(hostile))
    if isinstance(value, dict):
        value[random.choice(("x", "", "kind", "a b", "é", "\x1b[2J", "__proto__", *map(str, value)))] = new
        return tree
    if isinstance(value, list):
        value.insert(random.randrange(len(value) + 1), new)
        return tree
    return put(tree, place, new)


def _rename(random: Random, tree: Any, place: Place, hostile: tuple[Any, ...]) -> Any:
    above = at(tree, place[:-1]) if place else None
    if not isinstance(above, dict):
        return _set(random, tree, place, hostile)
    above[random.choice((f"{place[-1]}x", str(place[-1]).upper(), "../../x", "a\0b", "\x1b[31m", "😀", "k" * 400))] = (
        above.pop(place[-1])
    )
    return tree


def _wrap(random: Random, tree: Any, place: Place, hostile: tuple[Any, ...]) -> Any:
    value = at(tree, place)
    many = [copy.deepcopy(value) for _ in range(50)]  # one and the same in two places would come to lie in itself
    return put(tree, place, random.choice(([value], {"x": value}, many[:2], str(value), many)))


def _nest(random: Random, tree: Any, place: Place, hostile: tuple[Any, ...]) -> Any:
    return put(tree, place, deep(random.choice((3, 70, 150))))


def _swap(random: Random, tree: Any, place: Place, hostile: tuple[Any, ...]) -> Any:
    other = random.choice(list(places(tree)))
    short = min(len(place), len(other))
    if place[:short] == other[:short]:  # one inside the other
        return _set(random, tree, place, hostile)
    one, two = at(tree, place), at(tree, other)
    return put(put(tree, place, two), other, one)


_TREE_CHANGES: tuple[Callable[[Random, Any, Place, tuple[Any, ...]], Any], ...] = (
    _set, _set, _set, _near, _near, _remove, _remove, _add, _rename, _wrap, _nest, _swap,
)  # fmt: skip


# --- written ----------------------------------------------------------------------------------------------------------


def as_json(tree: Any, **options: Any) -> bytes:
    """JSON, with what JSON cannot hold as its text, `Raw` as it is, and lone surrogates escaped."""
    raw: list[str] = []
    text = json.dumps(_without_raw(tree, raw), ensure_ascii=True, default=str, **options)
    return _with_raw(text, raw).encode()


def _without_raw(tree: Any, raw: list[str]) -> Any:
    if isinstance(tree, Raw):
        raw.append(tree.text)
        return f"@raw {len(raw) - 1}@"
    if isinstance(tree, int) and not isinstance(tree, bool) and abs(tree) > 2**1000:
        return _without_raw(Raw(hex(tree)), raw)
    if isinstance(tree, dict):
        return {name: _without_raw(value, raw) for name, value in tree.items()}
    return [_without_raw(value, raw) for value in tree] if isinstance(tree, list) else tree


def _with_raw(text: str, raw: list[str]) -> str:
    for number, found in enumerate(raw):
        text = text.replace(f'"@raw {number}@"', found)
    return text


def as_toml(tree: Any) -> bytes:
    """TOML, sections as inline tables; what TOML cannot hold is written all the same."""
    if not isinstance(tree, dict):
        return _toml(tree).encode("utf-8", "surrogatepass")
    lines = [f"{json.dumps(name)} = {_toml(value)}\n" for name, value in tree.items()]
    return "".join(lines).encode("utf-8", "surrogatepass")


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)} = {_toml(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, Raw):
        return value.text
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return json.dumps(value) if isinstance(value, str | bool | None) else repr(value)
