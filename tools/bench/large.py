"""Large searches and archives: CPU seconds, memory and bytes of everything that reads or grows with rows.

python -m tools.bench.large search [--evaluations 2000]          a search of `tiny`, whose evaluations take no time
python -m tools.bench.large archive [--rows 10000 50000]         commands on an archive of mbv3 of so many rows
python -m tools.bench.large predict [--networks 1000000]         `lut predict` of so many architectures

The rows of an archive are random networks with a formula's accuracy and a table estimated from a data sheet. Each
command is a process of its own; a line of JSON for each: CPU and wall seconds, largest resident memory.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hwnas.search.archive import OK, Evaluation
from hwnas.search.config import Config, SearchSettings
from hwnas.search.run import Run, create_run
from hwnas.space import Architecture, Genes, SearchSpace, get_space
from lut import save
from lut.estimate.roofline import estimate
from tools.bench.shared import run

INITIAL, BATCH = 100, 8
FORMULA = """
def top1(arch):
    size = sum(k * e for k, e in zip(arch["ks"], arch["e"])) + arch["r"]
    return 99.0 - 9000.0 / (size + 100.0)
"""
CONFIG = """
space = "{space}"
accuracy = "python:formula:top1"
objectives = {objectives}
{tables}
[search]
initial = {initial}
iterations = {iterations}
per_iteration = {batch}
"""
Line = dict[str, Any]


def accuracy(arch: Architecture) -> float:
    """As FORMULA's."""
    size = sum(k * e for k, e in zip(arch.ks, arch.e, strict=True)) + arch.r
    return 99.0 - 9000.0 / (size + 100.0)


def hwnas(*arguments: str, folder: Path, out: Path | None = None) -> Line:
    """A command in a process of its own, and what it took."""
    begun = time.perf_counter()
    with (out or Path(os.devnull)).open("wb") as target:
        process = subprocess.Popen([sys.executable, "-m", "hwnas", *arguments], stdout=target, cwd=folder)
        _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"hwnas {' '.join(arguments)} ended with {status}")
    return {
        "cpu_s": round(used.ru_utime + used.ru_stime, 1),
        "wall_s": round(time.perf_counter() - begun, 1),
        "memory_mb": round(used.ru_maxrss / 1024),
    }


def write_config(folder: Path, space: str, evaluations: int, table: bool) -> Path:
    """The configuration of a search in the folder, with its accuracy."""
    (folder / "formula.py").write_text(FORMULA)
    objectives = ["top1", "params", "madds", *(["gpu_ms"] if table else [])]
    text = CONFIG.format(
        space=space, objectives=json.dumps(objectives), initial=INITIAL, batch=BATCH,
        iterations=(evaluations - INITIAL) // BATCH, tables='[tables]\ngpu_ms = "gpu.json"' if table else "",
    )  # fmt: skip
    path = folder / "search.toml"
    path.write_text(text)
    return path


def bench_search(evaluations: int) -> None:
    """A whole search, and the size of what it leaves."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_config(folder, "tiny", evaluations, table=False)
        figures = folder / "figures.json"
        used = hwnas("search", "search.toml", "--out", "run", folder=folder, out=figures)
        found = json.loads(figures.read_text())
        print(json.dumps({"evaluations": found["evaluations"], "hypervolume": found["hypervolume"], **used}))


def bench_archive(rows: int) -> None:
    """Every command that reads an archive of so many rows."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder, rows)
        more = f"search.iterations={(rows - INITIAL) // BATCH + 1}"
        commands: list[tuple[str, ...]] = [
            ("search", "search.toml", "--out", "run", "--set", more),
            ("select", "run", "--budget", "gpu_ms<=40"),
            ("archive", "run"),
            ("insights", "run"),
            ("report", "run"),
        ]
        for command in commands:
            used = hwnas(*command, folder=folder)
            print(json.dumps({"rows": rows, "command": command[0], **used}), flush=True)
        size = (folder / "run/report.html").stat().st_size
        print(json.dumps({"rows": rows, "report_mb": round(size / 1e6, 2)}), flush=True)


def make(folder: Path, rows: int) -> None:
    """A run of that many evaluations in the folder, as a search leaves it."""
    space = get_space("mbv3")
    save(estimate(space, "GTX 1080 Ti", 64), folder / "gpu.json")
    write_config(folder, "mbv3", rows, table=True)
    settings = SearchSettings(initial=INITIAL, iterations=(rows - INITIAL) // BATCH, per_iteration=BATCH)
    tables = {"gpu_ms": folder / "gpu.json"}
    config = Config(
        "mbv3", f"python:{folder / 'formula'}:top1", objectives=("top1", "params", "madds", "gpu_ms"), tables=tables,
        search=settings,
    )  # fmt: skip
    with create_run(folder / "run", config) as made:
        made.archive._connection.execute("PRAGMA synchronous = OFF")  # a bench may lose its rows
        fill(made, networks(space, settings.evaluations))


def networks(space: SearchSpace, n: int) -> Genes:
    """(n, n_genes) distinct ones, the smallest and the largest first."""
    drawn = np.concatenate([space.encode(space.extremes()), space.sample(2 * n, np.random.default_rng(0))])
    _, first = np.unique(drawn, axis=0, return_index=True)
    return np.asarray(drawn[np.sort(first)[:n]])


def fill(made: Run, genes: Genes) -> None:
    """Rows, proposals and figures of these networks."""
    archs, values = made.space.decode(genes), made.problem.values(genes)
    starts = [0, *range(INITIAL, len(genes), BATCH)]
    for k, (start, end) in enumerate(zip(starts, [*starts[1:], len(genes)], strict=True)):
        made.archive.add_proposal(k, genes[start:end], None, None, None, 0.1)
        for i in range(start, end):
            objectives = {"top1": accuracy(archs[i])} | {name: float(x[i]) for name, x in values.items()}
            row = tuple(genes[i].tolist())
            made.archive.add_evaluation(Evaluation(i, k, OK, archs[i], row, objectives, None, 0.1))
        figures = {"evaluations": end, "failed": 0, "hypervolume": 0.5, "seconds_search": 0.1, "seconds_evaluate": 0.1}
        made.archive.add_iteration(k, figures)


def bench_predict(count: int) -> None:
    """`lut predict` of architectures of mbv3."""
    with tempfile.TemporaryDirectory() as name:
        folder, space = Path(name), get_space("mbv3")
        save(estimate(space, "GTX 1080 Ti", 64), folder / "gpu.json")
        drawn = space.sample(min(count, 10_000), np.random.default_rng(0))
        lines = [json.dumps(arch.to_json()) + "\n" for arch in space.decode(drawn)]
        with (folder / "archs.jsonl").open("w") as file:
            for i in range(count):
                file.write(lines[i % len(lines)])
        used = hwnas("lut", "predict", "gpu.json", "--archs", "archs.jsonl", folder=folder)
        print(json.dumps({"networks": count, **used}))


def main(arguments: Sequence[str] | None = None) -> None:
    """A line of JSON for each measurement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(dest="part", required=True)
    parts.add_parser("search").add_argument("--evaluations", type=int, default=2000)
    parts.add_parser("archive").add_argument("--rows", type=int, nargs="+", default=[10_000, 50_000])
    parts.add_parser("predict").add_argument("--networks", type=int, default=1_000_000)
    chosen = parser.parse_args(arguments)
    os.environ["PYTHONPATH"] = os.pathsep.join(p for p in sys.path if p)
    if chosen.part == "search":
        bench_search(chosen.evaluations)
    elif chosen.part == "predict":
        bench_predict(chosen.networks)
    else:
        for rows in chosen.rows:
            bench_archive(rows)


if __name__ == "__main__":
    run(main)
