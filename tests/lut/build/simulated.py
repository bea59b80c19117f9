"""Tables of the simulated device, built and verified."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hwnas.onnx.writer import write_onnx
from hwnas.space import SearchSpace, get_space
from lut import LatencyTable
from lut.build.bench import Workbench
from lut.build.pipeline import build
from lut.build.schedule import BuildPlan
from lut.verify import verify
from profilers.base import Options, Profiler
from profilers.runtimes.fake import Behaviour, Fake

PLAN = BuildPlan(passes=1, networks=40)


def small() -> SearchSpace:
    return get_space("tiny", [12, 20])


def fake(**behaviour: Any) -> Fake:
    return Fake(Behaviour(**behaviour))


def make(
    space: SearchSpace, out: Path, profiler: Profiler | None = None, options: Options | None = None, **more: Any
) -> LatencyTable:
    workbench = Workbench(space, write_onnx, profiler or fake(), options or Options())
    return build(workbench, out=out, **{"plan": PLAN, **more})


def check(table: LatencyTable, space: SearchSpace, profiler: Profiler | None = None, **more: Any) -> dict[str, Any]:
    return verify(table, Workbench(space, write_onnx, profiler or fake()), **more)


def true_ms(space: SearchSpace, archs: Any) -> Any:
    sessions = [fake().load(write_onnx(space.layers(arch)), Options()) for arch in archs]
    return np.array([session.ideal_ms for session in sessions])
