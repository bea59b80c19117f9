"""Does a search on a part of the validation images pay? Seconds and hypervolume with 100, 200 and all of the digits.

python -m tools.bench.images SUPERNET --out runs/images [--seeds 1 2 3] [--initial 20 --iterations 5]

SUPERNET is what `hwnas train supernet tools/bench/supernet.toml` gives. By turns on one thread, so that what else the
machine does falls on all alike; seconds are of the processor. Of each search the front that is offered, all images:

    hypervolume  of top-1, params and madds within the space's ranges, top-1 from 50 to 100 %
    lost         points by which the front's top-1 was better on the part that the search saw, in the mean
    judged       networks that were judged again, on all images

One line of JSON a search, then a table of the means with the range over seeds.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

import hwnas
from hwnas.search.archive import OK
from hwnas.search.evaluation import history
from hwnas.search.finals import offered
from hwnas.search.hypervolume import hypervolume
from hwnas.search.run import open_run
from tools.bench.shared import run

IMAGES = (100, 200, None)
WORST = 50.0  # % of top-1 that is worth nothing
CALIBRATION = 128  # training images for BatchNorm, as in the demo: with 512 these take longer than judging
OBJECTIVES = ("top1", "params", "madds")


def main() -> None:
    """All searches, and their table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("supernet", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--initial", type=int, default=20)
    parser.add_argument("--iterations", type=int, default=5)
    a = parser.parse_args()
    search(argparse.Namespace(**vars(a) | {"initial": 4, "iterations": 0}), None, 0)  # imports, and images in memory
    found = []
    for seed in a.seeds:
        for images in IMAGES:
            found.append({"images": images, "seed": seed, **search(a, images, seed)})
            print(json.dumps(found[-1]), flush=True)
    print(table(found))


def search(a: argparse.Namespace, images: int | None, seed: int) -> dict[str, Any]:
    """One search, begun anew, and what its front is on all images."""
    evaluate = {"calibration": CALIBRATION, **({"images": images} if images else {})}
    folder = a.out / f"{images or 'all'}-{seed}"
    start = time.process_time()
    hwnas.search(
        "tiny", f"supernet:{a.supernet.absolute()}", objectives=OBJECTIVES, surrogate="gp", initial=a.initial,
        iterations=a.iterations, seed=seed, evaluate=evaluate,
        settings={"hypervolume": {"top1": [WORST, 100.0]}}, out=folder, fresh=True,
    )  # fmt: skip
    return {"seconds": round(time.process_time() - start, 1), **front_of(folder)}


def front_of(folder: Path) -> dict[str, Any]:
    """Of a finished run."""
    with open_run(folder) as opened:
        rows, problem = opened.archive.evaluations(), opened.problem
    whole = [row for row in offered(rows) if row.status == OK]
    known = history(whole, problem.space.n_genes)
    top1 = np.array([row.objectives["top1"] for row in whole], float)
    F = np.column_stack([(100.0 - top1) / (100.0 - WORST), problem.costs(known.genes)])
    lost = [row.searched.top1 - (row.objectives["top1"] or 0.0) for row in whole if row.searched]
    spent = sum(row.seconds for row in rows)
    return {
        "evaluations": len(rows),
        "judged": len(lost),
        "seconds_evaluate": round(spent, 1),
        "hypervolume": round(hypervolume(F), 4),
        "best_top1": round(float(top1.max()), 2),
        "lost": round(float(np.mean(lost)), 2) if lost else 0.0,
    }


def table(found: list[dict[str, Any]]) -> str:
    """Markdown: the mean over seeds, and the least and the largest."""
    names = ("seconds", "judged", "hypervolume", "best_top1", "lost")
    lines = [" | ".join(("images", *names)), "|".join(["---:"] * (1 + len(names)))]
    for images in IMAGES:
        rows = [row for row in found if row["images"] == images]
        cells = (f"{np.mean(v):.4g} ({min(v):.4g} to {max(v):.4g})" for v in ([row[n] for row in rows] for n in names))
        lines.append(" | ".join((str(images or "all"), *cells)))
    return "\n".join(f"| {line} |" for line in lines)


if __name__ == "__main__":
    run(main)
