"""Whatever a part does, the others run and the report says what became of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tools.gpu_check import report as reports
from tools.gpu_check.check import Check
from tools.gpu_check.findings import Findings, LeftOut
from tools.gpu_check.report import Report
from tools.gpu_check.running import Part, run_part, seconds_for


def finds(check, found):
    found.figure("speed", 12.3456, "ms")
    found.grid("Rows", ["network", "ms"], [["a", 1.5], ["b | c", None]])
    found.note("said in passing")


def fails(check, found):
    found.figure("before", 1)
    print("the last words")
    raise ValueError("what went wrong")


def leaves_out(check, found):
    raise LeftOut("no such thing here")


def crashes(check, found):
    os.kill(os.getpid(), signal.SIGKILL)


def hangs(check, found):
    found.figure("by then", 7)
    child = subprocess.Popen(["sleep", "60"])
    Path(check.folder / "child").write_text(str(child.pid))
    time.sleep(60)


def outcome(run, folder, seconds=20.0):
    return run_part(Part(run.__name__, run.__name__.capitalize(), 1, run), Check(folder), seconds)


def test_what_a_part_finds(tmp_path):
    found = outcome(finds, tmp_path)
    assert (found.status, found.reason) == ("done", "")
    assert found.found["figures"] == [{"name": "speed", "value": 12.35, "unit": "ms"}]


def test_an_error_with_its_last_lines(tmp_path):
    found = outcome(fails, tmp_path)
    assert found.status == "failed"
    assert found.last_lines[-1] == "ValueError: what went wrong"
    assert "the last words" in found.last_lines
    assert found.found["figures"][0]["name"] == "before"


def test_a_part_that_says_why_it_cannot(tmp_path):
    found = outcome(leaves_out, tmp_path)
    assert (found.status, found.reason) == ("left out", "no such thing here")


def test_a_crash_is_that_parts_alone(tmp_path):
    found = outcome(crashes, tmp_path)
    assert (found.status, found.reason) == ("failed", f"killed by signal {signal.SIGKILL:d}")


def test_a_part_that_hangs_is_ended_with_its_children(tmp_path):
    found = outcome(hangs, tmp_path, seconds=1.0)
    assert found.status == "timed out"
    assert found.found["figures"][0]["value"] == 7
    assert _is_gone(int((tmp_path / "child").read_text()))


def _is_gone(pid: int) -> bool:
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def test_a_part_is_told_to_end_before_it_is_killed(tmp_path):
    def tells(check, found):
        found.figure("left", check.seconds)

    assert 4 < outcome(tells, tmp_path, seconds=10.0).found["figures"][0]["value"] < 10


@pytest.mark.parametrize("left", [480.0, 30.0])
def test_the_parts_limits_fit_into_the_time(left):
    parts = [Part(str(share), "", share, finds) for share in (1, 3, 8, 5)]
    for i, part in enumerate(parts):
        limit = seconds_for(part, parts[i + 1 :], left)
        assert min(left, 20) <= limit <= left
        left -= limit
    assert left == pytest.approx(0)


@pytest.fixture
def outcomes(tmp_path):
    return [outcome(run, tmp_path) for run in (finds, fails, leaves_out)]


def written(folder, outcomes, pretended):
    parts = [*(found.part for found in outcomes), Part("later", "Later", 1, finds)]
    report = Report(folder, {"minutes": 8, "missing": ["pydantic"]}, pretended, parts)
    for found in outcomes:
        report.add(found)
        assert json.loads((folder / reports.JSON).read_text())["to_come"]  # whole at any time
    return json.loads((folder / reports.JSON).read_text()), (folder / reports.MARKDOWN).read_text()


def test_the_report(outcomes, tmp_path):
    found, text = written(tmp_path, outcomes, pretended=False)
    assert [part["status"] for part in found["parts"]] == ["done", "failed", "left out"]
    assert found["parts"][0]["figures"][0]["value"] == 12.35
    lines = ["- speed: 12.35 ms", "| a | 1.5 |", "| b / c | - |", "- said in passing", "ValueError: what went wrong"]
    lines += ["| Leaves_out | left out | 0 | no such thing here |", "", "Still to come: later."]
    assert set(lines) <= set(text.splitlines())
    assert "retended" not in text


def test_every_pretended_figure_is_marked(outcomes, tmp_path):
    found, text = written(tmp_path, outcomes, pretended=True)
    assert "figures" not in found["parts"][0]
    assert found["parts"][0]["pretended_figures"][0]["value"] == 12.35
    for line in ("- speed: 12.35ᴾ ms", "| a | 1.5ᴾ |", "**Pretended.**"):
        assert line in text


def test_numbers_as_json_holds_them(tmp_path):
    import numpy as np

    found = Findings(tmp_path / "found.json")
    found.grid("Odd", ["x"], [[np.float32(0.1)], [np.int64(3)], [float("nan")], [float("inf")], [True]])
    assert [row[0] for row in json.loads((tmp_path / "found.json").read_text())["grids"][0]["rows"]] == [
        0.1, 3, None, None, True,
    ]  # fmt: skip
