"""Tables and `verify` figures of the simulated device are those of 5d376ee; its interval has lost a mechanism since."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hwnas.onnx.writer import write_onnx
from hwnas.space import get_space
from lut.build.bench import Workbench
from lut.build.pipeline import build
from lut.build.schedule import BuildPlan
from lut.verify import verify
from profilers.runtimes.fake import Behaviour, Fake, FakeClock

GOLDEN = json.loads((Path(__file__).parent / "data" / "golden_5d376ee.json").read_text())


def device() -> Fake:
    """Noisy, drifting, with cold caches, and contended a quarter of the time."""
    behaviour = Behaviour(noise=0.01, drift=0.05, drift_seconds=0.7, cold_ms=0.02)
    return Fake(behaviour, clock=FakeClock(contended=lambda seconds: int(seconds / 0.05) % 4 == 1))


def same(found: Any, expected: Any, where: str) -> None:
    if isinstance(expected, dict):
        for key, value in expected.items():
            same(found[key], value, f"{where}, {key}")
    elif isinstance(expected, str | bool) or expected is None:
        assert found == expected, where
    else:
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-12), where


@pytest.mark.slow
@pytest.mark.parametrize("method", ["in-context", "isolated"])
def test_tables_and_figures_are_as_before(tmp_path, method):
    space, expected = get_space("tiny", [12, 20]), GOLDEN[method]
    plan = BuildPlan(passes=1, networks=40)
    table = build(Workbench(space, write_onnx, device()), out=tmp_path / "t.json", method=method, plan=plan)
    assert table.interval is not None
    same({k: list(e) for k, e in table.entries.items()}, expected["entries"], "entries")
    same([table.interval.lower, table.interval.upper], expected["interval"], "interval")
    same(table.calibration and list(table.calibration.weights), expected["calibration"], "calibration")
    same(table.provenance, expected["provenance"], "provenance")
    same(verify(table, Workbench(space, write_onnx, device()), archs=30, seed=3), expected["verify"], "verify")
