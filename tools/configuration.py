"""Writes docs/configuration.md: every key of every configuration, from the settings themselves. Run it after a change.

python tools/configuration.py          writes it
python tools/configuration.py --check  exits with 1 if the committed one is not what the code gives
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hwnas.accuracy import SOURCES, timeout
from hwnas.recipe.settings import RecipeSettings
from hwnas.search.config import Config
from hwnas.space.definition import Definition
from hwnas.templates.examples import UNWRITTEN
from hwnas.templates.options import source_options
from hwnas.templates.writer import allowed, is_section, item_schema, opening, plain
from hwnas.train.config import FinetuneConfig, SupernetConfig
from profilers.fault_lines import resolved
from profilers.validation import json_schema

PATH = Path(__file__).resolve().parents[1] / "docs/configuration.md"
FILES = {
    "search": (Config, "hwnas search CONFIG.toml", "hwnas init search"),
    "supernet": (SupernetConfig, "hwnas train supernet CONFIG.toml", "hwnas init supernet"),
    "finetune": (FinetuneConfig, "hwnas train finetune CONFIG.toml", "hwnas init finetune"),
    "recipe": (RecipeSettings, "hwnas run recipe.toml", "hwnas init run"),
    "space": (Definition, "a search space of one's own, FILE.toml", ""),
}
HEAD = """# Keys of configurations

Written by `tools/configuration.py` from the settings themselves; do not edit. Every key of the first four can also be
given on the command line, as in `--set search.iterations=10` (`--set phases.0.lr=0.1` for an item of a list). Paths are
relative to the file. All errors are reported together, before anything is written.
"""
COLUMNS = "| key | value | default | meaning |\n|---|---|---|---|"
Node = Mapping[str, Any]


def text() -> str:
    """The page as it should be."""
    parts = [HEAD]
    for name, (kind, command, template) in FILES.items():
        schema = json_schema(kind)
        hint = f" `{template}` prints one with comments." if template else ""
        parts += [f"## {name}: `{command}`\n", f"{opening(schema)}{hint}\n", *_tables(schema, schema, "")]
        parts += [*_sources()] if kind is Config else []
    return "\n".join(parts).rstrip() + "\n"


def _tables(node: Node, schema: Node, above: str) -> Iterator[str]:
    """A section's keys in a table, then its sections."""
    named = [(name, item, resolved(item, schema)) for name, item in node["properties"].items() if name not in UNWRITTEN]
    rows = [_row(name, item, found, node) for name, item, found in named if not is_section(found, schema)]
    if rows:
        yield from (COLUMNS, *rows, "")
    for name, item, found in named:
        if is_section(found, schema):
            yield from _section(f"{above}{name}", item, found, schema)


def _section(place: str, item: Node, found: Node, schema: Node) -> Iterator[str]:
    if found["type"] == "array":
        below, title = resolved(found["items"], schema), f"[[{place}]]"
    else:
        below, title = found, f"[{place}]"
    if "properties" not in below and "properties" in (each := resolved(item_schema(found), schema)):
        below, title = each, f"[{place}.NAME]"
    yield f"### `{title}`\n"
    yield f"{item.get('description', '')}{_keys(below, schema)}\n"
    if "properties" in below:
        yield from _tables(below, schema, f"{place}.")


def _keys(node: Node, schema: Node) -> str:
    """Of a section whose keys are the user's: what their values are."""
    if "properties" in node:
        return ""
    below = resolved(item_schema(node), schema)
    return f" NAME = {_value({}, below)}." if below else " Its keys are those of the source."


def _row(name: str, item: Node, found: Node, section: Node) -> str:
    value = _value(item, found)
    default = item.get("default")
    shown = "required" if name in section.get("required", ()) else "" if default is None else f"`{plain(default)}`"
    return _cells(f"`{name}`", value, shown, item.get("description", ""))


def _value(item: Node, found: Node) -> str:
    return allowed(item, found) or ("a file name" if found.get("format") == "path" else "a text")


def _sources() -> Iterator[str]:
    """Tables of [evaluate] for each source of accuracies that is built in, after the key that all have."""
    yield "### `[evaluate]` of every source\n"
    yield from ("| key | default | meaning |\n|---|---|---|", _option(timeout.NAME, None, timeout.MEANING), "")
    for kind in SOURCES.built_in:
        yield f"### `[evaluate]` of `{kind}:`\n"
        rows = [_option(option.name, option.default, option.meaning) for option in source_options(kind)]
        yield from ("| key | default | meaning |\n|---|---|---|", *rows, "") if rows else ("It has no options.", "")


def _option(name: str, default: Any, meaning: str) -> str:
    return _cells(f"`{name}`", "" if default is None else f"`{plain(default)}`", meaning)


def _cells(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def main() -> None:
    """Write or check it."""
    found = text()
    stale = not PATH.is_file() or PATH.read_text() != found
    if "--check" in sys.argv:
        sys.exit("tools/configuration.py was not run after a change of a setting" if stale else 0)
    if stale:
        PATH.write_text(found)
        print(f"wrote {PATH}", file=sys.stderr)


if __name__ == "__main__":
    main()
