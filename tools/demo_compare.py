"""Hypervolume of the demo's searches beside random search at the same number of evaluations."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from hwnas.search.run import open_run


def curve(folder: Path) -> list[float]:
    """Hypervolume after each iteration, from a run's archive."""
    with open_run(folder) as run:
        return [row["hypervolume"] for row in run.archive.iterations()]


def main(run: Path) -> None:
    """Print the comparison; exit 1 if the search did not beat random search (one seed alone decides nothing)."""
    ours = [curve(run), *(curve(f) for f in sorted(run.glob("compare/msunas-*")))]
    random = [curve(f) for f in sorted(run.glob("compare/random-*"))]
    with open_run(run) as opened:
        evaluations = [row["evaluations"] for row in opened.archive.iterations()]
    print(f"hypervolume, mean of {len(ours)} seed(s) (fixed reference; more is better)")
    print(f"{'networks':>10} {'search':>8} {'random':>8}")
    for i, n in enumerate(evaluations):
        print(f"{n:10} {np.mean([c[i] for c in ours]):8.4f} {np.mean([c[i] for c in random]):8.4f}")
    best, chance = (float(np.mean([c[-1] for c in curves])) for curves in (ours, random))
    verdict = "search is better" if best > chance else "random is as good or better"
    print(f"search {best:.4f}, random {chance:.4f}: {verdict}")
    sys.exit(1 if best <= chance and len(ours) > 1 else 0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
