"""What the acceptance of shipping asks for, on this machine; run it when nothing else does.

    python -m tools.bench.ship auto [--run RUN] [--mbv3 5] [--mbv3-only]   auto against an independent timing
    python -m tools.bench.ship intervals TABLE.json … [--archs 40]   measured within the predicted interval, and budgets
    python -m tools.bench.ship int8 [--run RUN]                 accuracy on the test set and latency of int8 and fp32
    python -m tools.bench.ship compare [--run RUN] [--models …] the paper's Table 3 for this device

One line of JSON for each thing measured, and one with the verdict.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import lut
from hwnas.compare import known, render
from hwnas.compare.measure import measure, of_known
from hwnas.export import engine_selection, parity
from hwnas.export.build import PrecisionVariants, Target, build
from hwnas.export.datasheet import RANDOM
from hwnas.export.engines import ENGINES
from hwnas.export.item import ExportItem, counted
from hwnas.export.judge import Limits
from hwnas.export.labelled import DatasetSplit
from hwnas.export.run_source import items_of_run
from hwnas.nets import Network
from hwnas.onnx.writer import write_onnx
from hwnas.space import Architecture, SearchSpace, get_space
from lut.build.bench import TOGETHER, Workbench, open_bench
from lut.verify import require_fingerprint
from profilers.base import Options, Session
from profilers.errors import EngineUnavailable, HwnasError
from profilers.registry import get_profiler
from profilers.timing import plans
from profilers.timing.core_groups import ONE_GROUP
from profilers.timing.measurement import Measurement, at_one_speed, measuring
from tools.bench.shared import run

PLAN = plans.ENGINE
CLOSE = 1.03  # what the pick may be slower than the fastest of the independent timing


def say(**row: Any) -> None:
    """One line of JSON."""
    print(json.dumps(row, allow_nan=False), flush=True)


def random_item(space: SearchSpace, arch: Architecture) -> ExportItem:
    """A network with random weights, and activations of a trained one's size: some kernels feel it by some percent."""
    network = known.calibrate_batchnorm(Network(space.layers(arch), arch), arch.r, space.in_channels)
    return ExportItem(space, arch, network, "random", counted(space, arch), warnings=(RANDOM,))


def items(run: Path | None, mbv3: int) -> Iterator[tuple[str, ExportItem]]:
    """The run's chosen networks, and of mbv3 the smallest, the largest and random ones."""
    if run is not None:
        yield from items_of_run(run, None).items()
    space = get_space("mbv3")
    some = space.decode(space.sample(max(mbv3 - 2, 1), np.random.default_rng(7)))
    for arch in [*space.extremes(), *some][:mbv3]:
        yield f"mbv3 {arch.id}", random_item(space, arch)


def bench_auto(run: Path | None, mbv3: int, max_drop: float, compiled: bool) -> None:
    """Pick, then load everything afresh and time it in another order."""
    good = []
    references = engine_selection.REFERENCES if compiled else ("eager",)
    for name, item in items(run, mbv3):
        with tempfile.TemporaryDirectory() as folder:
            models = PrecisionVariants(item, tolerance=max_drop)
            found = engine_selection.select_engine(models, Options(), Path(folder), Limits(max_drop), references, PLAN)
            allowed = [c.target for c in found.candidates if not c.refused]
            times = independent(models, allowed, references, Path(folder) / "again")
        pick = times[found.chosen.name]
        engines = {t.name: times[t.name] for t in allowed}
        fastest = min(engines.values())
        torch = {k: v for k, v in times.items() if k.startswith("torch")}
        ratios = {f"pick_over_{k.replace(' ', '_')}": pick / v for k, v in torch.items()}
        good.append(pick <= CLOSE * fastest and all(pick <= v for v in torch.values()))
        say(
            network=name,
            pick=found.chosen.name,
            why=found.why,
            ms=times,
            pick_over_fastest=pick / fastest,
            **ratios,
            references={k: f.to_json() for k, f in found.references.items()},
            good=good[-1],
        )
    say(bench="auto", networks=len(good), good=sum(good), passed=all(good))


def independent(
    models: PrecisionVariants, targets: Sequence[Target], references: Sequence[str], folder: Path
) -> dict[str, float]:
    """Milliseconds by engine, loaded afresh and timed in another order; torch beside them."""
    with ExitStack() as stack, measuring(Options()) as bench:
        sessions: dict[str, Session] = {}
        for i, target in enumerate(targets):
            session = build(models, target, folder / str(i)).session
            if session is not None:
                sessions[target.name] = stack.enter_context(session)
        for name in references:
            try:
                sessions[f"torch {name}"] = models.item.torch_session(Options(), compiled=name == "compiled")
            except HwnasError as error:
                say(reference=name, missing=str(error))
        group = bench.time(sessions, replace(PLAN, seed=99))
    return {name: found.ms for name, found in group.measured.items()}


def bench_intervals(paths: Sequence[Path], archs: int, seed: int) -> None:
    """Fresh random networks, exported, against the table's intervals; then budgets at the predictions' quartiles.

    Judged with the machine's change of speed since the table was built divided out, as `hwnas lut verify` does; the
    uncorrected share is reported too.
    """
    for path in paths:
        table = lut.load(path)
        space = get_space(table.space.name, table.space.resolutions, table.space.classes)
        genes = space.sample(archs, np.random.default_rng(seed))
        networks = space.decode(genes)
        as_ran, steady = exported_times(table, space, networks, seed)
        kept = [i for i, arch in enumerate(networks) if arch.id in as_ran]
        found = [as_ran[networks[i].id] for i in kept]
        ms = np.array([m.ms for m in found])
        change = ms / np.array([steady[m.id].ms for m in found])
        estimate = table.bind(space).predict(genes[kept])
        inside, as_run = ((estimate.low <= x) & (x <= estimate.high) for x in (ms / change, ms))
        say(
            table=str(path),
            engine=require_fingerprint(table).runtime,
            precision=table.options.precision,
            networks=len(kept),
            within_interval=float(inside.mean()),
            within_interval_as_run=float(as_run.mean()),
            mape=float(np.mean(np.abs(estimate.ms * change / ms - 1))),
            bias=float(np.mean(estimate.ms * change / ms - 1)),
            speed_change=float(np.mean(change)) - 1,
            half_width=float(np.mean((estimate.high - estimate.low) / 2 / estimate.ms)),
        )
        limits = np.quantile(estimate.ms, (0.25, 0.5, 0.75))
        rows = list(zip(found, change.tolist(), strict=True))
        worst = [budget_row(rows, estimate, limit) for limit in limits]
        selected, over = sum(w[0] for w in worst), sum(w[1] for w in worst)
        passed = inside.mean() >= 0.92 and over <= 0.05 * selected and max(w[2] for w in worst) <= 0.02
        say(bench="intervals", table=str(path), selected=selected, over_budget=over, passed=bool(passed))


def exported_times(
    table: lut.LatencyTable, space: SearchSpace, archs: Sequence[Architecture], seed: int
) -> tuple[dict[str, Measurement], dict[str, Measurement]]:
    """By network's id: engines of the table's runtime as they ran, and at the machine's speed of the table's build."""
    profiler = get_profiler(require_fingerprint(table).runtime)
    target, groups = Target(ENGINES[profiler.name], table.options), []
    with open_bench(Workbench(space, write_onnx, profiler, table.options)) as bench:
        bench.measuring.core_groups = ONE_GROUP  # engines are built and checked, not only loaded
        for start in range(0, len(archs), TOGETHER):
            with tempfile.TemporaryDirectory() as scratch:
                folder = Path(scratch)
                loads = {
                    arch.id: partial(
                        engine, PrecisionVariants(random_item(space, arch)), target, Path(folder) / arch.id
                    )
                    for arch in archs[start : start + TOGETHER]
                }
                with bench.loaded(loads, seed + start) as sessions:
                    groups.append(bench.time(sessions, plans.COMPARE, seed + start))
    steady = at_one_speed(groups, table.provenance.get("controls_ms"))
    as_ran, same_speed = ({k: m for g in some for k, m in g.measured.items()} for some in (groups, steady))
    return as_ran, same_speed


def engine(models: PrecisionVariants, target: Target, folder: Path) -> Session:
    """Built, checked and loaded."""
    session = build(models, target, folder).session
    if session is None:
        raise EngineUnavailable(f"{target.engine.name} does not run here")
    return session


def budget_row(
    rows: Sequence[tuple[Measurement, float]], estimate: lut.Estimate, limit: float
) -> tuple[int, int, float]:
    """Networks that `select` would offer under a limit, those that exceed it, and by how much at most (relative).

    What reaches over the limit is chosen by its even rounds, as if measured for the choice, and judged by the odd ones.
    """
    excess = []
    for row, (found, change) in enumerate(rows):
        even, odd = found.halves()
        if estimate.high[row] <= limit:
            excess.append(found.ms / change / limit - 1)
        elif estimate.low[row] <= limit and even + (found.high - found.ms) <= limit:
            excess.append(odd / limit - 1)
    over = [e for e in excess if e > 0]
    say(budget_ms=limit, selected=len(excess), over_budget=len(over), most=max([*over, 0.0]))
    return len(excess), len(over), max([*over, 0.0])


def bench_int8(run: Path) -> None:
    """Top-1 on the test set of each engine in fp32 and int8, and the ratio of their latencies."""
    drops = []
    for name, item in items_of_run(run, None).items():
        if item.dataset is None:
            say(network=name, missing="no data set, so no accuracy")
            continue
        models, data = PrecisionVariants(item), item.dataset
        for engine in ("onnxruntime", "openvino"):
            if "int8" not in get_profiler(engine).supported_precisions():
                continue
            with tempfile.TemporaryDirectory() as folder, ExitStack() as stack, measuring(Options()) as bench:
                built = {
                    p: build(models, Target(ENGINES[engine], Options(precision=p)), Path(folder) / p)
                    for p in ("fp32", "int8")
                }
                sessions = {p: stack.enter_context(b.session) for p, b in built.items() if b.session}
                group = bench.time(sessions, PLAN)
                top1 = {}
                for p, session in sessions.items():
                    answer = partial(parity.logits_of, session)
                    top1[p] = parity.top1(*parity.logits_over(DatasetSplit(data, data.last_split, item.arch.r), answer))
            ms = {p: found.ms for p, found in group.measured.items()}
            drops.append(top1["fp32"] - top1["int8"])
            say(
                network=name,
                engine=engine,
                top1=top1,
                drop=drops[-1],
                ms=ms,
                ratio=ms["int8"] / ms["fp32"],
                weights=built["int8"].note,
            )
    if drops:
        say(bench="int8", engines=len(drops), mean_drop=float(np.mean(drops)), largest_drop=max(drops))


def bench_compare(names: Sequence[str], engine: str) -> None:
    """Known networks at 224 px; the chosen ones of a run are `hwnas compare`'s."""
    found = measure([of_known(known.make(name)) for name in names], get_profiler(engine), Options())
    print(render.text(found))
    for row in found.rows:
        native = known.make(row.name, None)
        stated = native.published
        if stated is not None:
            say(
                network=row.name,
                params=native.counts.params,
                stated_params=stated.params,
                madds=native.counts.madds,
                stated_madds=stated.madds,
                at_px=native.size,
            )
    say(bench="compare", spearman_with_the_paper=found.spearman, networks=found.shared)


def main() -> None:
    """Parse and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("auto", "intervals", "int8", "compare"))
    parser.add_argument("tables", nargs="*", type=Path)
    parser.add_argument("--run", type=Path, default=Path("runs/demo"))
    parser.add_argument("--mbv3", type=int, default=5)
    parser.add_argument("--mbv3-only", action="store_true")
    parser.add_argument("--max-accuracy-drop", type=float, default=engine_selection.MAX_DROP)
    parser.add_argument("--no-compiled", action="store_true")
    parser.add_argument("--archs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--models", default=",".join(known.usual()))
    parser.add_argument("--engine", default="onnxruntime")
    a = parser.parse_args()
    if a.what == "auto":
        bench_auto(None if a.mbv3_only else a.run, a.mbv3, a.max_accuracy_drop, not a.no_compiled)
    elif a.what == "intervals":
        bench_intervals(a.tables, a.archs, a.seed)
    elif a.what == "int8":
        bench_int8(a.run)
    else:
        bench_compare(a.models.split(","), a.engine)


if __name__ == "__main__":
    run(main)
