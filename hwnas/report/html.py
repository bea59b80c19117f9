"""HTML that cannot be injected into: every string is escaped unless `tag` itself has made it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from html import escape
from typing import Any

_VOID = {"meta", "br", "rect", "line", "path", "circle"}


class Html(str):
    """Markup; made only by `tag`, `join` and `raw`."""

    __slots__ = ()


def text(value: str) -> Html:
    """Escaped; also what Plotly's labels need, which read a few tags."""
    return value if isinstance(value, Html) else Html(escape(value, quote=True))


def raw(value: str) -> Html:
    """Markup from this package's own files, as it is."""
    return Html(value)


def join(parts: Iterable[str], separator: str = "") -> Html:
    """The parts behind each other, escaped where they are not markup."""
    return Html(text(separator).join(text(part) for part in parts))


def tag(name: str, /, *children: str, **attributes: str | int | float | bool | None) -> Html:
    """An element. `class_` is class, `_` in an attribute's name is `-`; None and False leave one out, True is bare."""
    given = {key: value for key, value in attributes.items() if value is not None and value is not False}
    shown = join(_attribute(key, value) for key, value in given.items())
    if name in _VOID:
        return Html(f"<{name}{shown}/>")
    return Html(f"<{name}{shown}>{join(children)}</{name}>")


def _attribute(key: str, value: str | int | float | bool) -> Html:
    key = key.rstrip("_").replace("_", "-")
    if value is True:
        return Html(f" {key}")
    shown = f"{value:.6g}" if isinstance(value, float) else str(value)
    return Html(f' {key}="{escape(shown, quote=True)}"')


def script_json(value: Any) -> Html:
    """Strict JSON that no content can end early inside a script element."""
    plain = json.dumps(value, allow_nan=False, separators=(",", ":"), ensure_ascii=True)
    return Html(plain.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def table(head: Iterable[str], rows: Iterable[Iterable[str]], *, caption: str, class_: str = "") -> Html:
    """A table whose first column names its rows."""
    top = tag("tr", *(tag("th", cell, scope="col") for cell in head))
    body = [tag("tr", *_row(list(cells))) for cells in rows]
    content = tag("table", tag("caption", caption), tag("thead", top), tag("tbody", *body), class_=class_ or None)
    # a wide table scrolls by itself, by keyboard too, instead of widening the page
    return tag("div", content, class_="scroll", tabindex="0", role="region", aria_label=caption)


def _row(cells: list[str]) -> list[Html]:
    return [tag("th", cells[0], scope="row"), *(tag("td", cell) for cell in cells[1:])]
