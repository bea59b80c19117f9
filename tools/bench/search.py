"""Search on real data: OFA's accuracy predictor, exact counts, the i7 and the Titan Xp table (`data/`).

    python -m tools.bench.search --seeds 10 --methods ours,paper-rbf --problems five,cpu,madds --out bench/
    python -m tools.bench.search --budgets --transfer --large --seeds 5 --out bench/

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

import numpy as np
from scipy.stats import ttest_rel

from hwnas.search.config import SearchSettings
from profilers.files import write_json
from tools.bench import search_questions
from tools.bench.search_figure import Curves, figure
from tools.bench.search_problem import PROBLEMS, REFERENCE_CURVES, Curve, reference, run_once
from tools.bench.shared import run

PAPER = SearchSettings(choose="paper", initial_sampling="uniform", population=240, generations=60)
METHODS = {
    "ours": SearchSettings(),
    "ours-gp": SearchSettings(surrogate="gp"),
    "random": SearchSettings(strategy="random"),
    "nsga2": SearchSettings(strategy="nsga2", initial=20, iterations=16, per_iteration=20),
    **{f"paper-{name}": replace(PAPER, surrogate=name) for name in ("rbf", "gp", "cart", "mlp", "xgb", "auto")},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="runs 1 to N")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--problems", default=",".join(PROBLEMS))
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting, for all methods")
    parser.add_argument("--out", type=Path, default=Path("bench"))
    for name, about in search_questions.BENCHES.items():
        parser.add_argument(f"--{name}", action="store_true", help=f"instead: {about.__doc__}")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    if asked := [run for name, run in search_questions.BENCHES.items() if getattr(args, name)]:
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
    drawn = "document.documentElement.dataset.drawn = ''"  # what tools/screenshot waits for
    plain = {"displayModeBar": False}
    figure(curves).write_html(args.out / "curves.html", include_plotlyjs=True, post_script=drawn, config=plain)
    print(table(curves))


def line(problem: str, method: str, seed: int, curve: Curve) -> str:
    at = " ".join(f"{n} {curve.values[min(n, len(curve.values)) - 1]:.4f}" for n in (100, 148, 172, 200, 220, 340))
    optimism = "-" if curve.optimism is None else f"{curve.optimism:.3f}"
    return (
        f"{problem} {method} seed {seed}: {at}; own time {curve.seconds:.1f} s CPU, optimism {optimism}, "
        f"dominated {curve.dominated:.2f}"
    )


def table(curves: Curves) -> str:
    """One line a method; see `NOTES`."""
    rows = [f"{'':7}{'method':11}runs at 148 at 340   s.d.    ref   by p(ours) CPU s  opt. dom."]
    for problem, methods in curves.items():
        for name, runs in methods.items():
            rows.append(f"{problem:7}{name:11}{len(runs):4}{summary(problem, runs, paired(methods, name))}")
    return "\n".join([*rows, *NOTES])


NOTES = (
    "at 148, at 340: mean hypervolume after so many evaluations; ref: of Lu et al.'s reference code",
    "after 340; by: evaluations after which the mean is above that; p(ours): paired t-test",
    "against ours at 340; opt.: predicted minus evaluated top-1, points; dom.: share of the",
    "proposals that others dominate once they are evaluated (reference code: 0.5 points, half)",
)


def summary(problem: str, runs: dict[int, Curve], p: str) -> str:
    """The figures of one method."""
    length = min(len(c.values) for c in runs.values())
    values = np.array([c.values[:length] for c in runs.values()])
    mean, last = values.mean(axis=0), values[:, -1]
    reached = reference()["hypervolume"][REFERENCE_CURVES[problem]]["reference-rbf"]["mean"][-1]
    by = str(int(np.argmax(mean >= reached)) + 1) if (mean >= reached).any() else "-"
    spread = last.std(ddof=1) if len(last) > 1 else 0.0
    optimism = [c.optimism for c in runs.values() if c.optimism is not None]
    about = f"{np.mean(optimism):6.2f}" if optimism else f"{'-':>6}"
    spent, dominated = (np.mean([getattr(c, key) for c in runs.values()]) for key in ("seconds", "dominated"))
    return (
        f"{mean[min(148, length) - 1]:7.4f}{mean[-1]:7.4f}{spread:7.4f}{reached:7.4f}{by:>5}{p:>8}{spent:6.1f}"
        f"{about}{dominated:5.2f}"
    )


def paired(methods: dict[str, dict[int, Curve]], name: str) -> str:
    """p of a paired t-test against ours, over the seeds that both have."""
    both = sorted(set(methods.get("ours", {})) & set(methods[name])) if name != "ours" else []
    if len(both) < 2:
        return "-"
    a, b = ([methods[m][seed].values[-1] for seed in both] for m in ("ours", name))
    return f"{ttest_rel(a, b).pvalue:.1e}"


def read(folder: Path, changes: list[str]) -> Curves:
    path = folder / "curves.json"
    data: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"set": changes, "curves": {}}
    if data.get("set") != changes:
        raise SystemExit(f"{path} was made with --set {data.get('set')}; use another --out")
    return {
        p: {m: {int(s): Curve(**c) for s, c in runs.items()} for m, runs in methods.items()}
        for p, methods in data["curves"].items()
    }


def write(curves: Curves, folder: Path, changes: list[str]) -> None:
    data = {
        p: {m: {s: asdict(c) for s, c in runs.items()} for m, runs in methods.items()} for p, methods in curves.items()
    }
    write_json(folder / "curves.json", {"made": time.strftime("%F %T"), "set": changes, "curves": data}, indent=None)


if __name__ == "__main__":
    run(main)
