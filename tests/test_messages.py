"""What a message tells the user to type exists: commands, their options, keys of configurations, sections.

Every text of the code is read, but for docstrings; what is computed in it stands as {}.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer

import hwnas
from hwnas.accuracy import SOURCES, timeout
from hwnas.cli import build
from hwnas.recipe.settings import RecipeSettings
from hwnas.search.config import Config
from hwnas.space.definition import Definition
from hwnas.templates.options import source_options
from hwnas.train.config import FinetuneConfig, SupernetConfig
from profilers.validation import json_schema

ROOT = Path(__file__).resolve().parents[1]
PROSE = {"cannot", "did", "fills", "had", "has", "knows", "reads", "says", "that", "writes", "wrote"}  # "hwnas says"
FOREIGN = re.compile(
    r"\b(pip install|ray start|trtexec|nvidia-smi|cpupower)\b|\n|^--[\w-]+=|^--version$|var\(--"
)  # others' options
# Rooms whose messages arise in several commands: an option that is named must be one of all of these, or of one.
EVERY = {
    "hwnas/settings.py": ("search", "train supernet", "train finetune"),
    "hwnas/train": ("train supernet", "train finetune"),
    "hwnas/search": ("search",),
    "hwnas/select": ("select", "export", "compare"),
    "hwnas/onnx": ("export", "profile"),
    "hwnas/fetch": ("fetch",),
    "hwnas/profile": ("profile",),
    "hwnas/compare": ("compare",),
    "profilers/onnx": ("export", "profile"),
    "lut/build": ("lut build",),
}
SOME = {"hwnas/export": ("export", "validate"), "lut/formats": ("lut import",), "hwnas/report": ("report", "export")}
SAID_OF_ITSELF = {"--prefer", "--knee", "--budget"}  # only where the command that has them was given them
ALONE = {"lut/build/standalone.py", "profilers/timing/plain_loop.py", "profilers/timing/fresh_process.py"}  # programs


class Text(NamedTuple):
    """A text of the code."""

    where: str
    text: str


@cache
def texts() -> tuple[Text, ...]:
    files = [path for package in ("hwnas", "lut", "profilers") for path in sorted((ROOT / package).rglob("*.py"))]
    names = [str(path.relative_to(ROOT)) for path in files]
    return tuple(
        Text(name, text)
        for name, path in zip(names, files, strict=True)
        if name not in ALONE
        for text in strings(ast.parse(path.read_text()))
    )


def strings(tree: ast.AST) -> Iterator[str]:
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    inside |= {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # docstrings
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(v.value) if isinstance(v, ast.Constant) else "{}" for v in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
            yield node.value


@cache
def commands() -> dict[str, set[str]]:
    """The options of each command."""

    def walk(command: Any, name: str) -> Iterator[tuple[str, set[str]]]:
        below = getattr(command, "commands", {})
        for part, found in below.items():
            yield from walk(found, f"{name} {part}".strip())
        if not below:
            yield name, {option for p in command.params for option in (*p.opts, *p.secondary_opts)} | {"--help"}

    return dict(walk(typer.main.get_command(build()), ""))


OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
COMMAND = re.compile(r"(?<![\w./-])hwnas ((?:lut|train|devices) [a-z-]+|[a-z-]+)([^;,\n`]*)")


def named_commands(text: str) -> list[tuple[str, str]]:
    return [(name, rest) for name, rest in COMMAND.findall(text) if name.split()[0] not in PROSE]


def faults(where: str, text: str) -> Iterator[str]:
    """What a text names that there is not."""
    for name, rest in named_commands(text):
        if name not in commands() and name not in {"lut", "train", "devices"}:
            yield f"no command hwnas {name}"
        yield from (f"hwnas {name} has no {x}" for x in OPTION.findall(rest) if x not in commands().get(name, ()))
    if not FOREIGN.search(text):
        rest = COMMAND.sub("", text)
        yield from (f"{option} is none here" for option in OPTION.findall(rest) if not is_option(where, option))


def is_option(where: str, option: str) -> bool:
    if option in SAID_OF_ITSELF:
        return True
    for room, names in EVERY.items():
        if where.startswith(room):
            return all(option in commands()[name] for name in names)
    some = next((names for room, names in SOME.items() if where.startswith(room)), tuple(commands()))
    return any(option in commands()[name] for name in some)


def test_commands_and_options_that_messages_name_exist():
    found = {(x.where, fault) for x in texts() for fault in faults(*x)}
    assert not found, "\n".join(f"{where}: {fault}" for where, fault in sorted(found))


@pytest.mark.parametrize(
    ("where", "text", "fault"),
    [
        ("lut/verify.py", "hwnas lut biuld", "no command hwnas lut biuld"),
        ("lut/verify.py", "hwnas lut build --plaec", "hwnas lut build has no --plaec"),
        ("hwnas/select/a.py", "try --precision", "--precision is none here"),
        ("hwnas/search/a.py", "--budget-seconds", "--budget-seconds is none here"),
        ("hwnas/export/a.py", "another --outt", "--outt is none here"),
    ],
)
def test_what_there_is_not_is_found(where, text, fault):
    assert list(faults(where, text)) == [fault]
    assert not list(faults("hwnas/select/a.py", "hwnas says so; another --optimistic; hwnas lut build --out X"))


KEY = re.compile(r"(?<![\w.{}-])([a-z_]{2,}(?:\.[a-z_]+)*) = (?=[\S])")
SQL = re.compile(r"\n|\b(PRAGMA|SELECT|INSERT|UPDATE|WHERE)\b")
SECTION = re.compile(r"(?<![\w\"'])\[([a-z_]{3,})(?:\.[A-Za-z_{}]+)?\]")


@cache
def keys() -> set[str]:
    """Of all configurations, the options of accuracy sources, and the arguments of public functions."""
    found: set[str] = set()

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            found.update(node.get("properties", {}))
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    for kind in (Config, SupernetConfig, FinetuneConfig, RecipeSettings, Definition):
        walk(json_schema(kind))
    found |= {timeout.NAME, *(option.name for kind in SOURCES.built_in for option in source_options(kind))}
    public = [getattr(hwnas, name) for name in hwnas.__all__]
    functions = [*public, *(f for cls in public if inspect.isclass(cls) for f in vars(cls).values() if callable(f))]
    return found.union(*(inspect.signature(f).parameters for f in functions))


def unknown_keys(text: str) -> list[str]:
    names = [name.rpartition(".")[2] for name in KEY.findall(text)] + SECTION.findall(text)
    return [name for name in names if name not in keys() | {"value"}]  # value: is read, not said


def test_keys_and_sections_that_messages_name_exist():
    rooms = ("hwnas/accuracy", "hwnas/search", "hwnas/settings", "hwnas/train", "hwnas/ofa", "hwnas/recipe",
             "hwnas/space", "hwnas/api", "hwnas/data", "hwnas/export")  # fmt: skip
    said = [x for x in texts() if x.where.startswith(rooms) and not SQL.search(x.text)]
    found = {(x.where, name, x.text) for x in said for name in unknown_keys(x.text)}
    assert not found, "\n".join(map(str, sorted(found)))
    assert unknown_keys("finetune_epoch = 5 in [evaluat]") == ["finetune_epoch", "evaluat"]
