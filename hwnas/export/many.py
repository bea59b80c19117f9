"""Export of many networks, one by one: what is there already is kept, what fails is recorded, the rest goes on."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hwnas.export.exportable import Exportable
from hwnas.export.pipeline import Request, check_request, export
from hwnas.export.present import differs
from profilers.devices.faults import AWAY
from profilers.errors import HwnasError
from profilers.files import write_text
from profilers.interruption import counted, leaving
from profilers.outputs import different, in_the_way
from profilers.progress import track

ERRORS = "errors.jsonl"


@dataclass
class ManyExported:
    """Datasheets by id of what was exported now, ids of what was there, one error's text by id."""

    done: dict[str, dict[str, Any]] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


def export_many(
    ids: Sequence[str],
    item_of: Callable[[str], Exportable],
    request: Request,
    out: Path,
    *,
    resume: bool = True,
    fresh: bool = False,
) -> ManyExported:
    """Export each network to `out / id`; interrupted, the same call goes on with those that are missing.

    A folder is kept where it is whole and was made by the same request; one that was damaged is made again. `out /
    errors.jsonl` lists what failed in this call, and is not there if nothing did.

    Args:
        ids: the networks.
        item_of: makes the item of one.
        request: what is wanted, the same for all.
        out: the folder.
        resume: False to refuse a network that is there.
        fresh: export all anew.

    Raises:
        BadInput: a request that cannot be fulfilled for any network. FingerprintMismatch: a folder of another request.
        DeviceUnreachable, DeviceBusy, LinkLost: of a device elsewhere; the same call goes on later.
    """
    check_request(request)
    there = {} if fresh else {key: differ for key in ids if (differ := differs(out / key, request)) is not None}
    _check_there(there, out, resume)
    found = ManyExported()
    with leaving(lambda: _kept(found, out)), track(len(ids), "exporting networks") as bar:
        for key in ids:
            bar.note(f"{key}, {len(found.failed)} failed")
            if key in there:
                found.kept.append(key)
            else:
                _one(key, item_of, request, out, found)
            bar.advance()
    return found


def _kept(found: ManyExported, out: Path) -> str:
    there = len(found.done) + len(found.kept)
    return f"{counted(there, 'network')} kept in {out}" if there else ""


def _check_there(there: Mapping[str, Sequence[str]], out: Path, resume: bool) -> None:
    """Raises where a folder may not stay: it is of another request, or nothing may be there."""
    for key, differ in there.items():
        if not resume:
            raise in_the_way(out / key, "an exported engine")
        if differ:
            raise different(out / key, differ)


def _one(key: str, item_of: Callable[[str], Exportable], request: Request, out: Path, found: ManyExported) -> None:
    try:
        found.done[key] = export({key: item_of(key)}, request, out)[key]
    except AWAY:
        raise
    except Exception as error:  # whatever it was, it is this network's alone
        text = " ".join(f"{'' if isinstance(error, HwnasError) else f'{type(error).__name__}: '}{error}".split())
        found.failed[key] = text
    record(out, found.failed)


def record(out: Path, failed: dict[str, str]) -> None:
    """Write errors.jsonl, or remove that of an earlier call."""
    if not failed:
        (out / ERRORS).unlink(missing_ok=True)
        return
    when = datetime.now(UTC).isoformat(timespec="seconds")
    lines = [json.dumps({"id": key, "error": text, "when": when}) for key, text in failed.items()]
    write_text(out / ERRORS, "\n".join(lines) + "\n")
