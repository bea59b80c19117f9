"""The way of a person with a notebook, from a device to a validated engine; and asked instead of called."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import hwnas
from tests.hwnas.api.ten_lines import asked, my_function, ten_lines

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.slow
@pytest.mark.two_cores
def test_the_ten_lines_end_in_a_validated_engine(tmp_path, capsys):
    size = {"resolutions": [12, 16], "seconds": 3, "n": 6, "initial": 12, "iterations": 1}
    engine = ten_lines(tmp_path, "tiny", "onnxruntime", **size)
    assert "mape" in capsys.readouterr().out
    assert engine.predicted_ms and engine.measured_ms
    found = engine.validate(quick=True)
    assert found["parity_max_abs"] < 1e-3 and found["top1_agreement"] == 1 and found["measured_ms"] > 0
    assert engine.infer(np.zeros((3, *engine.input_shape[1:]), np.float32)).shape == (3, 10)


def rows(run: hwnas.Run) -> list[dict]:
    return [{k: v for k, v in row.items() if k != "seconds"} for row in run.rows()]


DYING = """
import os, sys
from pathlib import Path
from tests.hwnas.api.ten_lines import my_function
import hwnas
with hwnas.open_search("tiny", objectives=["top1", "params"], initial=12, iterations=2, out=sys.argv[1]) as search:
    for network in search.ask(8)[:5]:
        search.tell(network, top1=my_function(network.to_json()))
    os.kill(os.getpid(), 9)
"""


@pytest.mark.slow
def test_asked_killed_and_continued_it_is_the_archive_of_one_call(tmp_path):
    once = hwnas.search(
        "tiny", my_function, objectives=["top1", "params"], initial=12, iterations=2, out=tmp_path / "once"
    )
    done = subprocess.run(
        [sys.executable, "-c", DYING, str(tmp_path / "asked")], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == -9 and len(hwnas.Run(tmp_path / "asked").networks) == 5
    assert len(asked(tmp_path / "asked", "tiny", 12, 2, most=9).networks) == 14
    assert rows(asked(tmp_path / "asked", "tiny", 12, 2)) == rows(once)


def test_a_search_is_continued_by_the_same_call(tmp_path):
    calls = []

    def counted(arch):
        calls.append(arch)
        return my_function(arch)

    for iterations in (0, 1, 1):
        run = hwnas.search(
            "tiny", counted, objectives=["top1", "params"], initial=8, iterations=iterations, per_iteration=2,
            out=tmp_path / "run",
        )  # fmt: skip
    assert len(calls) == len(run.networks) == 10


def test_what_does_not_fit_is_one_line_and_leaves_nothing(tmp_path):
    out = tmp_path / "run"
    with pytest.raises(hwnas.BadInput, match="unknown objective 'parms'"):
        hwnas.search("tiny", my_function, objectives=["top1", "parms"], out=out)
    with pytest.raises(hwnas.BadInput, match="unknown space 'tinny'"):
        hwnas.search("tinny", my_function, out=out)
    with pytest.raises(hwnas.BadInput, match="unknown surrogate 'gps'"):
        hwnas.search("tiny", my_function, surrogate="gps", out=out)
    with pytest.raises(hwnas.BadInput, match="a search without an accuracy"):
        hwnas.search("tiny", out=out)
    with pytest.raises(hwnas.BadInput, match="workers = 2 with an accuracy of this process"):
        hwnas.search("tiny", my_function, workers=2, out=out)
    assert not out.exists()
