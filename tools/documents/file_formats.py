"""The reference page of files that hwnas writes, from their JSON Schemas (docs/schemas)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hwnas.templates.writer import allowed
from profilers.fault_lines import resolved

SCHEMAS = Path(__file__).resolve().parents[2] / "docs/schemas"
READ = {"table": "Latency table", "datasheet": "Datasheet", "engine": "Manifest of a TensorRT engine"}
HEAD = (Path(__file__).parent / "file_formats.md").read_text()
Node = Mapping[str, Any]


def text() -> str:
    """The page."""
    return "\n".join([HEAD, *(line for name, title in READ.items() for line in _file(name, title))])


def _file(name: str, title: str) -> Iterator[str]:
    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text())
    yield f"## {title}\n"
    yield f"{schema.get('description', '')} Schema: [{name}.schema.json](../schemas/{name}.schema.json).\n"
    yield from _fields(schema, schema)
    for below, node in schema.get("$defs", {}).items():
        if node.get("properties"):
            yield f"### `{below}` of a {title.lower()}\n"
            yield f"{node.get('description', '')}\n"
            yield from _fields(node, schema)


def _fields(node: Node, schema: Node) -> Iterator[str]:
    yield "| field | value | meaning |\n|---|---|---|"
    for name, item in node.get("properties", {}).items():
        found = resolved(item, schema)
        star = "" if name in node.get("required", ()) else " (may be absent)"
        yield f"| `{name}` | {_cell(_value(item, found))}{star} | {_cell(item.get('description', ''))} |"
    yield ""


def _value(item: Node, found: Node) -> str:
    if "$ref" in item:
        return f"`{item['$ref'].rpartition('/')[2]}`"
    kind = str(found.get("type", "string"))
    return allowed(item, found) or {"string": "a text", "object": "keys"}.get(kind, kind)


def _cell(words: str) -> str:
    return words.replace("|", "&#124;").replace("\n", " ")
