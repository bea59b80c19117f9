"""Hypervolume of the demo's search beside random search at the same number of evaluations."""

from __future__ import annotations

import sys
from pathlib import Path

from hwnas.search.run import open_run


def curve(folder: Path) -> list[float]:
    """Hypervolume after each iteration, from a run's archive."""
    with open_run(folder) as run:
        return [row["hypervolume"] for row in run.archive.iterations()]


def main(run: Path) -> None:
    """Print the comparison. One seed alone decides nothing: `tools/bench/search.py` has ten."""
    ours, random = curve(run), curve(run / "compare" / "random-1")
    with open_run(run) as opened:
        evaluations = [row["evaluations"] for row in opened.archive.iterations()]
    print("hypervolume (fixed reference; more is better)")
    print(f"{'networks':>10} {'search':>8} {'random':>8}")
    for n, best, chance in zip(evaluations, ours, random, strict=True):
        print(f"{n:10} {best:8.4f} {chance:8.4f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
