"""What the search benches solve: OFA's accuracy predictor, exact counts, the i7 and the Titan Xp table.

The hypervolume is that of `data/reference_search.json`: fixed ideal and nadir, reference 1, values below the ideal not
clipped, points beyond the reference dropped.
"""

from __future__ import annotations

import io
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stderr
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray

from hwnas.accuracy import GIVEN
from hwnas.ofa.predictor import OfaPredictor
from hwnas.search import archive as archives
from hwnas.search.archive import Evaluation
from hwnas.search.config import Config, SearchSettings
from hwnas.search.driver import search
from hwnas.search.hypervolume import hypervolume
from hwnas.search.objectives import Objective, make_objectives
from hwnas.search.problem import Problem
from hwnas.search.run import Run
from hwnas.space import CostArray, Genes, SearchSpace, get_space
from lut.formats.convert import import_table
from tools.bench.shared import own, public

RESOLUTIONS = (160, 176, 192, 208, 224)
TABLES = {"cpu_ms": Path("i7-8700K_lut.yaml"), "gpu_ms": Path("titan_xp_b64.json")}
PROBLEMS = {
    "five": ("top1", "params", "madds", "cpu_ms", "gpu_ms"),
    "cpu": ("top1", "cpu_ms"),
    "madds": ("top1", "madds"),
}
REFERENCE_CURVES = {"five": "five", "cpu": "cpu", "madds": "flops"}  # the problems' names in reference_search.json
NORMAL = {"top1": "acc", "params": "params", "madds": "madds", "cpu_ms": "cpu", "gpu_ms": "gpu"}
Evaluate = Callable[[Genes], NDArray[np.float64]]
UNIT = {"top1": 1.0, "params": 1e-6, "madds": 1e-6, "cpu_ms": 1.0, "gpu_ms": 1.0}


@dataclass(frozen=True, eq=False)
class Curve:
    """One run: hypervolume after each evaluation, and its cost in CPU seconds (one core).

    optimism: mean of predicted minus evaluated top-1 over the iterations, in points; None without a surrogate.
    dominated: mean share of an iteration's networks that others dominate once they are evaluated.
    """

    values: list[float]
    seconds: float
    optimism: float | None
    dominated: float


@cache
def reference() -> dict[str, Any]:
    """What Lu et al.'s reference code reached."""
    return dict(own("reference_search.json"))


@cache
def space() -> SearchSpace:
    return get_space("mbv3", RESOLUTIONS)


@cache
def predictor() -> OfaPredictor:
    return OfaPredictor(public("acc_predictor.pth"), space())


def i7_ms() -> Evaluate:
    table = import_table("nsganetv2", space(), [public("i7-8700K_lut.yaml")])
    return table.bind(space()).sums


def titan_xp_ms() -> Evaluate:
    table = own("titan_xp_b64.json")
    rows = [table["resolutions"].index(r) for r in RESOLUTIONS]
    cost = CostArray(np.array(table["base"])[rows], np.array(table["table"])[rows].transpose(1, 0, 2, 3))
    return lambda genes: cost.evaluate(genes[:, 0], space().choices(genes))


@cache
def objectives() -> dict[str, Objective]:
    found = make_objectives(space(), ("top1", "params", "madds"), {})
    for name, evaluate in (("cpu_ms", i7_ms()), ("gpu_ms", titan_xp_ms())):
        low, high = evaluate(space().encode(space().extremes()))
        found[name] = Objective(name, "ms", True, "imported-table", evaluate, float(low), float(high))
    return found


def make_problem(problem: str, budget: dict[str, float] | None = None) -> Problem:
    names = PROBLEMS[problem]
    needed = dict.fromkeys([*names, *(budget or {})])
    return Problem(space(), {name: objectives()[name] for name in needed}, names, budget or {})


def run_rows(
    problem: Problem, settings: SearchSettings, seed: int, start: Genes | None = None
) -> tuple[list[Evaluation], list[dict[str, Any]], float]:
    """A whole search: its rows, its iterations' figures, and its CPU seconds (evaluations are milliseconds of them)."""
    config = Config("mbv3", GIVEN, RESOLUTIONS, None, problem.names, seed, tables=TABLES, search=settings)
    with tempfile.TemporaryDirectory() as folder:
        archive = archives.create(Path(folder) / "archive.sqlite", {})
        source = predictor()  # torch is imported for it, which is not the search's time
        with StartedRun(Path(folder), config, problem, archive, start) as run, redirect_stderr(io.StringIO()):
            begun = time.process_time()
            search(run, source)
            return archive.evaluations(), archive.iterations(), time.process_time() - begun


@dataclass(frozen=True, eq=False)
class StartedRun(Run):
    """A run whose initial networks are drawn like the front `given`, which lies in no folder."""

    given: Genes | None = None

    @property
    def start(self) -> Genes | None:
        return self.given


def run_once(problem: str, settings: SearchSettings, seed: int) -> Curve:
    rows, steps, spent = run_rows(make_problem(problem), settings, seed)
    optimism = [step["optimism"] for step in steps if step["optimism"] is not None]
    dominated = float(np.mean([step["dominated"] for step in steps[1:]]))
    return Curve(volumes(rows, problem), spent, float(np.mean(optimism)) if optimism else None, dominated)


def volumes(rows: list[Evaluation], problem: str) -> list[float]:
    """Hypervolume after each evaluation."""
    F = normalised([row.objectives for row in rows], PROBLEMS[problem])
    return [hypervolume(F[: i + 1]) for i in range(len(F))]


def normalised(rows: list[Any], names: tuple[str, ...]) -> Any:
    columns = []
    for name in names:
        limits = reference()["normalisation"][NORMAL[name]]
        value = np.array([row[name] for row in rows]) * UNIT[name]
        value = 100 - value if name == "top1" else value
        columns.append((value - limits["ideal"]) / (limits["nadir"] - limits["ideal"]))
    return np.stack(columns, axis=1)
