"""Search on real data: OFA's accuracy predictor, exact counts, the i7 and the Titan Xp table (shared/baselines).

    python tools/bench_search.py --seeds 10 --methods ours,paper-rbf --problems five,cpu,madds --out bench/

Writes curves.json (hypervolume after each evaluation) and curves.html, prints one line a run and the table of means,
deviations and paired tests at the end. The hypervolume is that of baselines/README.md: fixed ideal and nadir, reference
1, values below the ideal not clipped, points beyond the reference dropped.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stderr
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from scipy.stats import ttest_rel

from hwnas.accuracy.ofa_predictor import OfaPredictor
from hwnas.search import archive as archives
from hwnas.search.config import Config, SearchSettings
from hwnas.search.driver import search
from hwnas.search.hypervolume import hypervolume
from hwnas.search.objectives import Objective, make_objectives
from hwnas.search.problem import Problem
from hwnas.search.run import Run
from hwnas.space import CostArray, LayerSpec, SearchSpace, get_space

SHARED = Path(__file__).resolve().parents[2] / "shared"
RESOLUTIONS = (160, 176, 192, 208, 224)
PROBLEMS = {
    "five": ("top1", "params", "madds", "cpu_ms", "gpu_ms"), "cpu": ("top1", "cpu_ms"), "madds": ("top1", "madds"),
}  # fmt: skip
PAPER = SearchSettings(choose="paper", initial_sampling="uniform", generations=60)
METHODS = {
    "ours": SearchSettings(),
    "ours-gp": SearchSettings(surrogate="gp"),
    "random": SearchSettings(strategy="random"),
    "nsga2": SearchSettings(strategy="nsga2", initial=20, iterations=16, per_iteration=20),
    **{f"paper-{name}": replace(PAPER, surrogate=name) for name in ("rbf", "gp", "cart", "mlp", "xgb", "auto")},
}
SEED_CURVES = {"five": "five", "cpu": "cpu", "madds": "flops"}
NORMAL = {"top1": "acc", "params": "params", "madds": "madds", "cpu_ms": "cpu", "gpu_ms": "gpu"}
UNIT = {"top1": 1.0, "params": 1e-6, "madds": 1e-6, "cpu_ms": 1.0, "gpu_ms": 1.0}


@dataclass(frozen=True, eq=False)
class Curve:
    """One run: hypervolume after each evaluation, and its cost in CPU seconds (one core)."""

    values: list[float]
    seconds: float
    optimism: float
    dominated: float


@cache
def baseline() -> dict[str, Any]:
    return json.loads((SHARED / "baselines/seed_search.json").read_text())


@cache
def space() -> SearchSpace:
    return get_space("mbv3", RESOLUTIONS)


@cache
def predictor() -> OfaPredictor:
    return OfaPredictor(SHARED / "published/ofa/acc_predictor.pth", space())


def i7_table() -> CostArray:
    """The published YAML, read by its fixed form: a key, then `  mean: value`."""
    ms, name = {}, ""
    for line in (SHARED / "published/nsganetv2/i7-8700K_lut.yaml").read_text().splitlines():
        if not line.startswith(" "):
            name = line.rstrip(":")
        elif line.startswith("  mean:"):
            ms[name] = float(line.split(":")[1])
    return space().compile(lambda layer: 0.0 if layer.kind == "pool" else ms[i7_key(layer)])


def i7_key(layer: LayerSpec) -> str:
    shape = f"input:{layer.size}x{layer.size}x{layer.in_channels}-output:{layer.out}x{layer.out}x{layer.out_channels}"
    if layer.kind == "mbconv":
        return (f"MBConv-{shape}-expand:{layer.expand}-kernel:{layer.kernel}-stride:{layer.stride}"
                f"-idskip:{int(layer.skip)}-se:{int(layer.se)}")  # fmt: skip
    if layer.kind == "linear":
        return f"classifier-input:{layer.in_channels}-output:{layer.out_channels}"
    if layer.stride == 2:
        return f"first_conv-{shape}"
    return f"{'final_expand_layer' if layer.size > 1 else 'feature_mix_layer'}-{shape}"


def titan_xp_table() -> CostArray:
    table = json.loads((SHARED / "baselines/titan_xp_b64.json").read_text())
    rows = [table["resolutions"].index(r) for r in RESOLUTIONS]
    return CostArray(np.array(table["base"])[rows], np.array(table["table"])[rows].transpose(1, 0, 2, 3))


@cache
def objectives() -> dict[str, Objective]:
    found = make_objectives(space(), ("top1", "params", "madds"), {})
    for name, table in (("cpu_ms", i7_table()), ("gpu_ms", titan_xp_table())):
        evaluate = _evaluator(table)
        low, high = evaluate(space().encode(space().extremes()))
        found[name] = Objective(name, "ms", True, "imported-table", evaluate, float(low), float(high))
    return found


def _evaluator(table: CostArray) -> Callable[[Any], Any]:
    return lambda genes: table.evaluate(genes[:, 0], space().choices(genes))


def run_once(problem: str, settings: SearchSettings, seed: int, budget: dict[str, float] | None = None) -> Curve:
    names = PROBLEMS[problem]
    config = Config("mbv3", "ofa-predictor:", RESOLUTIONS, None, names, seed, search=settings, budget=budget or {})
    needed = {name: objectives()[name] for name in config.needed}
    with tempfile.TemporaryDirectory() as folder:
        archive = archives.create(Path(folder) / "archive.sqlite", {})
        run = Run(Path(folder), config, Problem(space(), needed, names, config.budget), archive)
        with run, redirect_stderr(io.StringIO()):
            start = time.process_time()
            search(run, predictor())
            spent = time.process_time() - start  # the evaluations are a few milliseconds each of it
            rows, steps = archive.evaluations(), archive.iterations()[1:]
    F = normalised([row.objectives for row in rows], names)
    mean = lambda key: float(np.mean([s[key] for s in steps if s[key] is not None] or [np.nan]))  # noqa: E731
    return Curve([hypervolume(F[: i + 1]) for i in range(len(F))], spent, mean("optimism"), mean("dominated"))


def normalised(rows: list[Any], names: tuple[str, ...]) -> Any:
    columns = []
    for name in names:
        limits = baseline()["normalisation"][NORMAL[name]]
        value = np.array([row[name] for row in rows]) * UNIT[name]
        value = 100 - value if name == "top1" else value
        columns.append((value - limits["ideal"]) / (limits["nadir"] - limits["ideal"]))
    return np.stack(columns, axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="runs 1 to N")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--problems", default=",".join(PROBLEMS))
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting, for all methods")
    parser.add_argument("--out", type=Path, default=Path("bench"))
    args = parser.parse_args()
    changes = {k: type(getattr(SearchSettings(), k))(v) for k, v in (item.split("=") for item in args.set)}
    curves: dict[str, dict[str, list[Curve]]] = {}
    for problem in args.problems.split(","):
        for method in args.methods.split(","):
            for seed in range(1, args.seeds + 1):
                curve = run_once(problem, replace(METHODS[method], **changes), seed)
                curves.setdefault(problem, {}).setdefault(method, []).append(curve)
                print(line(problem, method, seed, curve), flush=True)
    write(curves, args.out)
    print(table(curves))


def line(problem: str, method: str, seed: int, curve: Curve) -> str:
    at = " ".join(f"{n} {curve.values[min(n, len(curve.values)) - 1]:.4f}" for n in (100, 148, 172, 200, 220, 340))
    return (f"{problem} {method} seed {seed}: {at}; own time {curve.seconds:.1f} s CPU, optimism {curve.optimism:.3f}, "
            f"dominated {curve.dominated:.2f}")  # fmt: skip


def table(curves: dict[str, dict[str, list[Curve]]]) -> str:
    """Means and deviations at the last evaluation, against the seed's published mean and, paired, against ours."""
    rows = [f"{'problem':8}{'method':12}{'mean':>8}{'s.d.':>8}{'seed':>8}{'p(ours)':>10}{'CPU s':>8}"]
    for problem, methods in curves.items():
        seed = baseline()["hypervolume"][SEED_CURVES[problem]]["seed-rbf"]["mean"][-1]
        last = {name: np.array([c.values[-1] for c in runs]) for name, runs in methods.items()}
        for name, values in last.items():
            paired = "ours" in last and name != "ours" and len(values) > 1
            p = f"{ttest_rel(last['ours'], values).pvalue:.1e}" if paired else "-"
            spent = np.mean([c.seconds for c in methods[name]])
            spread = values.std(ddof=1) if len(values) > 1 else 0.0
            rows.append(f"{problem:8}{name:12}{values.mean():8.4f}{spread:8.4f}{seed:8.4f}{p:>10}{spent:8.1f}")
    return "\n".join(rows)


def write(curves: dict[str, dict[str, list[Curve]]], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    data = {p: {m: [c.__dict__ for c in runs] for m, runs in methods.items()} for p, methods in curves.items()}
    (folder / "curves.json").write_text(json.dumps({"made": time.strftime("%F %T"), "curves": data}))
    figure(curves).write_html(folder / "curves.html", include_plotlyjs=True)


def figure(curves: dict[str, dict[str, list[Curve]]]) -> Any:
    from plotly.subplots import make_subplots

    shown = make_subplots(rows=1, cols=len(curves), subplot_titles=list(curves))
    for column, (problem, methods) in enumerate(curves.items(), 1):
        lines = {
            f"ours: {name}": (list(range(1, 1 + min(len(c.values) for c in runs))), runs)
            for name, runs in methods.items()
        }
        for name, (x, runs) in lines.items():
            shown.add_scatter(x=x, y=np.mean([c.values[: len(x)] for c in runs], axis=0), name=name, row=1, col=column)
        for name, curve in baseline()["hypervolume"][SEED_CURVES[problem]].items():
            shown.add_scatter(x=baseline()["evaluations"], y=curve["mean"], name=f"baseline: {name}", row=1, col=column,
                              line={"dash": "dot"})  # fmt: skip
    shown.update_layout(title="Hypervolume by evaluations (mean over seeds; dotted: the seed's own code)")
    return shown


if __name__ == "__main__":
    main()
