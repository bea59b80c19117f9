"""Search on real data: OFA's accuracy predictor, exact counts, the i7 and the Titan Xp table (shared/baselines).

    python tools/bench_search.py --seeds 10 --methods ours,paper-rbf --problems five,cpu,madds --out bench/
    python tools/bench_search.py --budgets --transfer --large --seeds 5 --out bench/

Writes curves.json (hypervolume after each evaluation) and curves.html, prints one line a run and the table of means,
deviations and paired tests at the end; what was interrupted goes on where it stopped.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import bench_more
import numpy as np
from bench_problem import PROBLEMS, Curve, baseline, run_once
from scipy.stats import ttest_rel

from hwnas.search.config import SearchSettings
from profilers.files import write_json

Curves = dict[str, dict[str, dict[int, Curve]]]  # by problem, method and seed
PAPER = SearchSettings(choose="paper", initial_sampling="uniform", generations=60)
METHODS = {
    "ours": SearchSettings(),
    "ours-gp": SearchSettings(surrogate="gp"),
    "random": SearchSettings(strategy="random"),
    "nsga2": SearchSettings(strategy="nsga2", initial=20, iterations=16, per_iteration=20),
    **{f"paper-{name}": replace(PAPER, surrogate=name) for name in ("rbf", "gp", "cart", "mlp", "xgb", "auto")},
}
SEED_CURVES = {"five": "five", "cpu": "cpu", "madds": "flops"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="runs 1 to N")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--problems", default=",".join(PROBLEMS))
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting, for all methods")
    parser.add_argument("--out", type=Path, default=Path("bench"))
    for name, about in bench_more.BENCHES.items():
        parser.add_argument(f"--{name}", action="store_true", help=f"instead: {about.__doc__}")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    if asked := [run for name, run in bench_more.BENCHES.items() if getattr(args, name)]:
        for run in asked:
            run(args.seeds, args.out)
    else:
        compare(args)


def compare(args: argparse.Namespace) -> None:
    """All methods on all problems, seed by seed; runs that curves.json holds already are not repeated."""
    changes = {k: type(getattr(SearchSettings(), k))(v) for k, v in (item.split("=") for item in args.set)}
    curves = read(args.out, args.set)
    wanted = itertools.product(range(1, args.seeds + 1), args.problems.split(","), args.methods.split(","))
    for seed, problem, method in wanted:
        runs = curves.setdefault(problem, {}).setdefault(method, {})
        if seed not in runs:
            runs[seed] = run_once(problem, replace(METHODS[method], **changes), seed)
            write(curves, args.out, args.set)
        print(line(problem, method, seed, runs[seed]), flush=True)
    figure(curves).write_html(args.out / "curves.html", include_plotlyjs=True)
    print(table(curves))


def line(problem: str, method: str, seed: int, curve: Curve) -> str:
    at = " ".join(f"{n} {curve.values[min(n, len(curve.values)) - 1]:.4f}" for n in (100, 148, 172, 200, 220, 340))
    return (f"{problem} {method} seed {seed}: {at}; own time {curve.seconds:.1f} s CPU, optimism {curve.optimism:.3f}, "
            f"dominated {curve.dominated:.2f}")  # fmt: skip


def table(curves: Curves) -> str:
    """Means and deviations at the last evaluation, against the seed's published mean and, paired by seed, ours."""
    rows = ["problem method      seeds  at 148  at 340    s.d.    seed   p(ours)   CPU s"]
    for problem, methods in curves.items():
        seed = baseline()["hypervolume"][SEED_CURVES[problem]]["seed-rbf"]["mean"][-1]
        for name, runs in methods.items():
            values = np.array([c.values[-1] for c in runs.values()])
            early = np.mean([c.values[min(148, len(c.values)) - 1] for c in runs.values()])
            spread = values.std(ddof=1) if len(values) > 1 else 0.0
            spent = np.mean([c.seconds for c in runs.values()])
            rows.append(f"{problem:8}{name:12}{len(runs):6}{early:8.4f}{values.mean():8.4f}{spread:8.4f}{seed:8.4f}"
                        f"{paired(methods, name):>10}{spent:8.1f}")  # fmt: skip
    return "\n".join(rows)


def paired(methods: dict[str, dict[int, Curve]], name: str) -> str:
    """p of a paired t-test against ours, over the seeds that both have."""
    both = sorted(set(methods.get("ours", {})) & set(methods[name])) if name != "ours" else []
    if len(both) < 2:
        return "-"
    a, b = ([methods[m][seed].values[-1] for seed in both] for m in ("ours", name))
    return f"{ttest_rel(a, b).pvalue:.1e}"


def read(folder: Path, changes: list[str]) -> Curves:
    path = folder / "curves.json"
    data = json.loads(path.read_text()) if path.exists() else {"set": changes, "curves": {}}
    if data.get("set") != changes:
        raise SystemExit(f"{path} was made with --set {data.get('set')}; use another --out")
    return {p: {m: {int(s): Curve(**c) for s, c in runs.items()} for m, runs in methods.items()}
            for p, methods in data["curves"].items()}  # fmt: skip


def write(curves: Curves, folder: Path, changes: list[str]) -> None:
    data = {p: {m: {s: asdict(c) for s, c in runs.items()} for m, runs in methods.items()}
            for p, methods in curves.items()}  # fmt: skip
    write_json(folder / "curves.json", {"made": time.strftime("%F %T"), "set": changes, "curves": data}, indent=None)


def figure(curves: Curves) -> Any:
    from plotly.subplots import make_subplots

    shown = make_subplots(rows=1, cols=len(curves), subplot_titles=list(curves))
    for column, (problem, methods) in enumerate(curves.items(), 1):
        lines = {
            f"ours: {name}": (list(range(1, 1 + min(len(c.values) for c in runs.values()))), runs)
            for name, runs in methods.items()
        }
        for name, (x, runs) in lines.items():
            shown.add_scatter(
                x=x, y=np.mean([c.values[: len(x)] for c in runs.values()], axis=0), name=name, row=1, col=column
            )
        for name, curve in baseline()["hypervolume"][SEED_CURVES[problem]].items():
            shown.add_scatter(x=baseline()["evaluations"], y=curve["mean"], name=f"baseline: {name}", row=1, col=column,
                              line={"dash": "dot"})  # fmt: skip
    shown.update_layout(title="Hypervolume by evaluations (mean over seeds; dotted: the seed's own code)")
    return shown


if __name__ == "__main__":
    main()
