"""Further questions to the search: budgets, objective transfer, large archives. See tools.bench.search."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ttest_rel

from hwnas.search.archive import Evaluation
from hwnas.search.config import SearchSettings
from hwnas.search.operators import distinct, sample_spread, vary
from hwnas.search.problem import History, Problem
from hwnas.search.strategies import Context, propose
from hwnas.search.transfer import by_size
from profilers.files import write_json
from tools.bench.search_problem import make_problem, predictor, run_rows, space, volumes

BUDGETS_MS = (8.0, 12.0, 16.0, 20.0)
WITHIN = SearchSettings(initial=32, iterations=84, per_iteration=2)  # 200 evaluations; small batches learn sooner
SHORT = SearchSettings(initial=28, iterations=4, per_iteration=8)  # 60
ROWS = (340, 1000, 3000, 10_000)
_REFERENCE, _PARENTS = 100_000, 200


def budgets(seeds: int, folder: Path) -> None:
    """best top-1 under budgets of i7 ms within 200 evaluations, against a search of 100,000"""
    known, path = reference(folder / "budgets-reference.json"), folder / "budgets.json"
    found = json.loads(path.read_text()) if path.exists() else {}
    for seed, limit in itertools.product(range(1, seeds + 1), BUDGETS_MS):
        runs = found.setdefault(f"{limit:g}", {})
        if str(seed) not in runs:
            runs[str(seed)] = best_within(limit, seed)
            write_json(path, found)
        best, over = runs[str(seed)]
        print(f"budget {limit:g} ms seed {seed}: top-1 {best:.3f}, {over} over it", flush=True)
    print("  ms seeds  100,000  mean 200  behind   worst  over")
    behind = {limit: known[limit] - np.array([best for best, _ in runs.values()]) for limit, runs in found.items()}
    for limit, gaps in behind.items():
        over = sum(over for _, over in found[limit].values())
        mean = known[limit] - gaps.mean()
        print(f"{limit:>4}{len(gaps):6}{known[limit]:9.3f}{mean:10.3f}{gaps.mean():8.3f}{gaps.max():8.3f}{over:6}")
    print(f"behind on average: {np.mean(np.concatenate(list(behind.values()))):.3f} points")


def best_within(limit: float, seed: int) -> tuple[float, int]:
    """The best top-1 within the budget, and how many evaluations beside the two anchors were over it."""
    rows, _, _ = run_rows(make_problem("cpu", {"cpu_ms": limit}), WITHIN, seed)
    ms, top1 = (np.array([row.objectives[name] for row in rows], float) for name in ("cpu_ms", "top1"))
    over = ms > limit
    return float(top1[~over].max()), int(over[2:].sum())


def reference(path: Path) -> dict[str, float]:
    """By budget, the best top-1 that an evolution of 100,000 true evaluations finds; kept in `path`."""
    if not path.exists():
        write_json(path, {f"{limit:g}": evolve(make_problem("cpu", {"cpu_ms": limit})) for limit in BUDGETS_MS})
    return dict(json.loads(path.read_text()))


def evolve(problem: Problem) -> float:
    """The best of each generation's parents and children survive; no network is evaluated twice in one generation."""
    rng = np.random.default_rng(0)
    start = np.concatenate([space().encode(space().extremes()[:1]), sample_spread(space(), 20 * _PARENTS, rng)])
    kept = start[problem.excess(start) <= 0][:_PARENTS]
    done = len(start)
    while done < _REFERENCE:
        children = vary(space(), kept, _PARENTS, rng)
        done += len(children)
        kept = np.concatenate([kept, children[problem.excess(children) <= 0]])
        kept = kept[distinct(kept)]
        kept = kept[np.argsort(-predictor().evaluate_genes(kept), kind="stable")[:_PARENTS]]
    return float(predictor().evaluate_genes(kept[:1])[0])


def transfer(seeds: int, folder: Path) -> None:
    """hypervolume of top-1 / i7 ms after 60 evaluations, with and without the front of top-1 / MAdds"""
    found = []
    for seed in range(1, seeds + 1):
        source, _, _ = run_rows(make_problem("madds"), SearchSettings(), seed)
        start = front(source)
        pair = [volumes(run_rows(make_problem("cpu"), SHORT, seed, given)[0], "cpu") for given in (start, None)]
        found.append([curve[at] for curve in pair for at in (27, 59)])
        print(
            "transfer seed {}: at 28 {:.4f}, at 60 {:.4f}; without {:.4f}, {:.4f}".format(seed, *found[-1]), flush=True
        )
    values = np.array(found)
    write_json(folder / "transfer.json", {"columns": ["with 28", "with 60", "28", "60"], "rows": values.tolist()})
    p = f"{ttest_rel(values[:, 1], values[:, 3]).pvalue:.1e}" if seeds > 1 else "-"
    print(f"mean at 60: {values[:, 1].mean():.4f} with, {values[:, 3].mean():.4f} without, paired p {p}")


def front(rows: list[Evaluation]) -> NDArray[np.integer]:
    genes, top1 = np.array([row.genes for row in rows]), np.array([row.objectives["top1"] for row in rows])
    return by_size(space(), make_problem("madds").front(History(genes, top1))[0].genes)


def large(seeds: int, folder: Path) -> None:
    """seconds of one proposal (five objectives) by the number of rows in the archive"""
    rng = np.random.default_rng(0)
    genes = sample_spread(space(), 3 * max(ROWS), rng)
    genes = np.concatenate([space().encode(space().extremes()), genes])
    genes = genes[distinct(genes)]
    for rows in ROWS:
        history = History(genes[:rows], predictor().evaluate_genes(genes[:rows]))
        for name in ("gp", "auto"):
            context = Context(make_problem("five"), SearchSettings(surrogate=name), history, 1, None, rng)
            wall, cpu = time.perf_counter(), time.process_time()
            used = propose(context).surrogate or name
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            print(f"{rows:6} rows, {name}: {cpu:6.1f} s CPU, {wall:6.1f} s, {used}", flush=True)


BENCHES: dict[str, Callable[[int, Path], None]] = {"budgets": budgets, "transfer": transfer, "large": large}
