"""What a campaign says: a row a kind, and a folder for each input of which something was found."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence

from tools.campaign.case import Kind
from tools.campaign.judge import VERDICTS
from tools.campaign.workers import Tried

FINDING = "finding.json"  # beside the input's files


def keep(kind: Kind, seed: int, tried: Tried) -> None:
    """Write what was found into the input's folder."""
    value = {
        "kind": kind.name,
        "seed": seed,
        "number": tried.number,
        "what": tried.what,
        "again": f"python -m tools.campaign {kind.name} --seed {seed} --only {tried.number}",
        "findings": [vars(finding) for finding in tried.findings],
    }
    (tried.folder / FINDING).write_text(json.dumps(value, indent=1, ensure_ascii=True))


def row(kind: Kind, all_tried: Iterable[Tried]) -> list[str]:
    """Of the table: how many were tried, how many taken, and how many of each verdict."""
    whole = list(all_tried)
    counts = Counter(verdict for one in whole for verdict in {finding.verdict for finding in one.findings})
    return [kind.title, str(len(whole)), str(sum(one.took for one in whole)), *(str(counts[v]) for v in VERDICTS)]


def table(rows: Sequence[Sequence[str]]) -> str:
    """In Markdown."""
    head = ["kind, mutated or hostile", "tried", "taken", *VERDICTS]
    lines = [head, ["---", *("---:" for _ in head[1:])], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
