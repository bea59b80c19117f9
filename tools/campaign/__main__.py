"""`python -m tools.campaign`: options, then the kinds one after the other, then the table."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tools.campaign import report, workers
from tools.campaign.case import Kind
from tools.campaign.kinds import named, names

EVERY = 100  # inputs between two lines


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 1 where something was found."""
    options = _options(arguments)
    found, rows = 0, []
    for kind in [named(name) for name in options.kinds]:
        tried = _kind(kind, options)
        rows.append(report.row(kind, tried))
        found += sum(bool(one.findings) for one in tried)
    print(report.table(rows))
    return int(found > 0)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.campaign", description="Mutated inputs, and what they do.")
    parser.add_argument("kinds", nargs="+", choices=[*names(), "all"], help="what is mutated", metavar="KIND")
    parser.add_argument("--count", type=int, default=1000, help="inputs of each kind (default 1000)")
    parser.add_argument("--seed", type=int, default=0, help="of all that is drawn (default 0)")
    parser.add_argument("--only", type=int, help="the one input of this number")
    parser.add_argument("--workers", type=int, default=1, help="processes (default 1)")
    parser.add_argument("--out", type=Path, default=Path("campaign"), help="folder of what is found (default campaign)")
    found = parser.parse_args(arguments)
    found.kinds = names() if "all" in found.kinds else found.kinds
    return found


def _kind(kind: Kind, options: argparse.Namespace) -> list[workers.Tried]:
    numbers = range(options.count) if options.only is None else [options.only]
    began, tried = time.monotonic(), []
    with tempfile.TemporaryDirectory(prefix="campaign-") as folder:
        kind.prepare(Path(folder))
        for one in workers.each(kind, options.seed, numbers, Path(folder), options.out.absolute(), options.workers):
            tried.append(one)
            _say(kind, options.seed, one)
            if len(tried) % EVERY == 0:
                print(f"{kind.name}: {len(tried)} in {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return tried


def _say(kind: Kind, seed: int, one: workers.Tried) -> None:
    if one.findings:
        report.keep(kind, seed, one)
    for finding in one.findings:
        last = finding.text.strip().splitlines()[-1][:200]
        print(f"{kind.name} {one.number} ({one.what[:80]!a}): {finding.verdict}: {last!a}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
