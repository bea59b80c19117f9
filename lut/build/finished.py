"""A table that is there already where one is to be built: kept if it is what the build would make, else refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from lut.build.checkpoint import Checkpoint, differences
from lut.table.store import FORMAT, load
from lut.table.table import LatencyTable, SpaceId
from profilers.outputs import different, foreign, in_the_way, kept
from profilers.progress import say


def finished(done: Checkpoint, out: Path, plan: Mapping[str, Any], *, resume: bool, fresh: bool) -> LatencyTable | None:
    """The table in `out` if it is that of this build; None where it is to be built, or a build of it is unfinished.

    Raises:
        FingerprintMismatch: it is of another build, and not `fresh`.
        BadInput: the file is no table of ours, or there is one and not `resume`.
        TableError: it is damaged, and not `fresh`.
    """
    if not out.exists():
        return None
    if not _is_table(out):
        raise foreign(out, "a latency table of hwnas, or nothing")
    if fresh or done.path.exists():
        return None
    if not resume:
        raise in_the_way(out, "a latency table")
    table = load(out)
    if differ := _differ(table, done, plan):
        raise different(out, differ)
    say(kept(out, "a latency table"))
    return table


def _is_table(path: Path) -> bool:
    """By the head of the file, so that a damaged one can be replaced."""
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return f'"{FORMAT}"'.encode() in stream.read(200)


def _differ(table: LatencyTable, done: Checkpoint, plan: Mapping[str, Any]) -> list[str]:
    """What was otherwise where the table was made."""
    if table.fingerprint is None:
        return [f"it was {table.status}, not measured"]
    made = table.provenance.get("plan")
    known = made if isinstance(made, Mapping) else {}
    theirs = {
        "method": table.method,
        "space": plain_space(table.space),
        **{k: known.get(k, v) for k, v in plan.items()},
    }
    mine = {"method": done.settings["method"], "space": done.settings["space"], **plan}
    return done.fingerprint.differences(table.fingerprint) + differences(mine, theirs)


def plain_space(value: SpaceId) -> dict[str, Any]:
    """What a build is compared by; the signature stands for the definition."""
    return {**asdict(replace(value, definition=None)), "resolutions": list(value.resolutions)}
