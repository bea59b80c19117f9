"""Exported folders that are there already: kept where an export would make the same, refused where it would not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hwnas.export import datasheet
from hwnas.export.exportable import Exportable
from hwnas.export.pipeline import Request
from profilers.errors import HwnasError
from profilers.outputs import changes, different, in_the_way, kept
from profilers.progress import say


def differs(folder: Path, request: Request, item: Exportable | None = None) -> list[str] | None:
    """What a whole exported folder is otherwise than it would be made; None where there is none, or a damaged one."""
    try:
        sheet = datasheet.read(folder)
    except HwnasError:
        return None
    wanted = request.to_json()
    stated = {"host": "", **sheet["request"]}  # earlier versions had fewer, and none of a device elsewhere
    made = {name: stated.get(name, value) for name, value in wanted.items()}
    if item is None:
        return changes(made, wanted)
    made["weights"] = wanted["weights"] = ""  # the item says it
    return changes(made, wanted) + _of_item(sheet, item)


def _of_item(sheet: Mapping[str, Any], item: Exportable) -> list[str]:
    found = ["it is of another network"] if _network(sheet) != _network(item.sections) else []
    return found if sheet["weights"].startswith(item.weights) else [*found, "it has other weights"]


def _network(sections: Mapping[str, Any]) -> str:
    """What of a datasheet says which network it is of."""
    known = {name: sections.get(name) for name in ("space", "architecture")}
    return json.dumps([known, (sections.get("model") or {}).get("sha256")], sort_keys=True)


def due(
    items: Mapping[str, Exportable], request: Request, out: Path, *, resume: bool = True, fresh: bool = False
) -> dict[str, Exportable]:
    """Those of the items that are to be exported to `out / name`; the others are there, which is said.

    Raises:
        FingerprintMismatch: a folder holds another export, and not `fresh`. BadInput: any, and not `resume`.
    """
    found = {}
    for name, item in items.items():
        folder = out / name
        differ = None if fresh else differs(folder, request, item)
        if differ is not None and not resume:
            raise in_the_way(folder, "an exported engine")
        if differ:
            raise different(folder, differ)
        if differ is None:
            found[name] = item
        else:
            say(kept(folder, "an export"))
    return found
