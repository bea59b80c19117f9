"""`[objectives.NAME]` beside a list `objectives = […]`, which TOML forbids: one key cannot be a list and a table.

Both are what a reader expects to write, so where a file holds both, or says `[objectives]` with `names = […]`, it is
read as the canonical form, which is a list `objectives` and sections `[objective.NAME]`. A file that is valid as it
stands is never rewritten.
"""

from __future__ import annotations

import re
import tomllib
from typing import Any

from profilers.errors import BadInput

_HEADER = re.compile(r"^([ \t]*\[[ \t]*)objectives([ \t]*\.)", re.MULTILINE)


def loads_objectives(text: str) -> dict[str, Any]:
    """The tables of a search's configuration; ValueError where it is not TOML.

    Raises:
        BadInput: sections of objectives without the list of what is searched.
    """
    try:
        data = tomllib.loads(text)
    except ValueError:
        if not _HEADER.search(text):
            raise
        return tomllib.loads(_HEADER.sub(r"\1objective\2", text))
    sections = data.get("objectives")
    return _canonical(data, dict(sections)) if isinstance(sections, dict) else data


def _canonical(data: dict[str, Any], sections: dict[str, Any]) -> dict[str, Any]:
    names = sections.pop("names", None)
    if names is None:
        raise BadInput(
            "[objectives] without what is searched", 'objectives = ["top1", …], or names = ["top1", …] in it'
        )
    return {**data, "objectives": names, "objective": {**data.get("objective", {}), **sections}}
