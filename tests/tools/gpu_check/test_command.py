"""The command as people type it, and its parts on the simulated device."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tools.gpu_check import __main__ as program
from tools.gpu_check.check import Check
from tools.gpu_check.findings import Findings, LeftOut
from tools.gpu_check.parts import PARTS, gpu_tests
from tools.gpu_check.parts.data_sheet import data_sheet

ROOT = Path(__file__).resolve().parents[3]
FIGURE = re.compile(r"^-?\d+(\.\d+)?(e[+-]?\d+)?$")


def command(*arguments, python=sys.executable, **kwargs):
    environment = {**os.environ, "PYTHON": str(python)}
    line = [str(ROOT / "tools" / "gpu-check"), *map(str, arguments)]
    return subprocess.run(line, env=environment, capture_output=True, text=True, timeout=300, **kwargs)


def test_a_python_that_is_too_old(tmp_path):
    old = tmp_path / "python"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    done = command(python=old)
    assert done.returncode == 2
    assert (
        done.stderr
        == f"gpu-check: '{old}' is no Python from 3.11 on; PYTHON=/path/to/python tools/gpu-check names another\n"
    )


def test_a_python_without_torch(tmp_path):
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S -E "$@"\n')
    bare.chmod(0o755)
    done = command(python=bare, cwd=ROOT)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(
        r"gpu-check: \S+ lacks torch, numpy, scipy, onnx; PYTHON=/path/to/python names another\n", done.stderr
    )


@pytest.mark.slow
def test_one_line_without_a_card(tmp_path):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a card")
    done = command("--out", tmp_path / "none")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("gpu-check: no NVIDIA card that torch can use here (torch ")
    assert done.stderr.endswith("--pretend cpu tries the check itself on the CPU\n")
    assert not (tmp_path / "none").exists()


def test_an_unknown_part(capsys):
    with pytest.raises(SystemExit, match="2"):
        program._chosen("card,nothing")
    assert capsys.readouterr().err.startswith("gpu-check: no part nothing; allowed: card, tests, table, ")


@pytest.mark.parametrize(("name", "card"), [
    ("NVIDIA GeForce RTX 4090", "RTX 4090"), ("NVIDIA H100 80GB HBM3", "H100"), ("NVIDIA A100-SXM4-40GB", "A100"),
    ("Tesla T4", "T4"), ("NVIDIA GeForce GTX 1080 Ti", "GTX 1080 Ti"), ("NVIDIA TITAN RTX", "Titan RTX"),
    ("Unheard of", ""),
])  # fmt: skip
def test_the_data_sheet_of_a_drivers_name(name, card):
    assert data_sheet(name) == card


def test_the_batch_fits_the_card(tmp_path):
    check = Check(tmp_path)
    assert [check.fitting(gb).batch for gb in (8.0, 24.0, 80.0)] == [16, 16, 64]


def test_the_tests_are_asked_to_end_in_time():
    sleeps = "import time; print('begun', flush=True); time.sleep(60)"
    code, lines = gpu_tests._stopped_in_time([sys.executable, "-S", "-c", sleeps], 1)
    assert code != 0
    assert (lines[0], lines[-1]) == ("begun", "KeyboardInterrupt")


@pytest.fixture(scope="module")
def check(tmp_path_factory):
    """On the simulated device, which is no runtime that ships engines."""
    small = Check(tmp_path_factory.mktemp("check"), "fake", ("fake", "tensorrt-none"), "tiny", (12,), batch=4)
    return replace(small, verified=4, planned=6, tested=8, compared=2, pretended=True)


def found_by(check, name):
    (part,) = [part for part in PARTS if part.name == name]
    found = Findings(check.folder / f"{name}.found.json")
    part.run(check, found)
    return found


def figures(found):
    return {figure.name: figure.value for figure in found.figures}


def test_the_parts_on_the_simulated_device(check):
    short = replace(check, ends=time.monotonic() + 0.5)
    table = figures(found_by(short, "table"))
    assert table["mape"] < 5 and table["networks"] == 4
    (grid,) = found_by(check, "networks").grids
    assert [(row[0], row[-1]) for row in grid.rows] == [("fit of 6", 8), ("in context", 8)]
    assert grid.rows[1][1] < 5  # % of the table in context
    (grid,) = found_by(check, "datasheet").grids
    assert grid.rows[0][1] is None and grid.rows[1][1] > 0
    (grid,) = found_by(check, "modes").grids
    assert {row[2] for row in grid.rows} >= {"fp32"}
    with pytest.raises(LeftOut, match="fake has no engine format"):
        found_by(check, "engines")
    others = found_by(check, "others")
    assert others.notes == ["this tree has no runtime tensorrt-none"]
    assert [row[0] for row in others.grids[0].rows][:2] == ["fake", "fake"]


@pytest.mark.slow
def test_pretended(tmp_path):
    some = ["card", "networks"]
    done = command("--pretend", "cpu", "--minutes", 2, "--only", ",".join(some), "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(f"pretended: {tmp_path / 'gpu-report.md'}\n")
    report = json.loads((tmp_path / "gpu-report.json").read_text())
    assert [part["part"] for part in report["parts"]] == some
    assert [part["part"] for part in report["parts"] if part["status"] == "failed"] == []
    assert report["parts"][0]["status"] == "done"
    _, *sections = (tmp_path / "gpu-report.md").read_text().split("\n## ")
    cells = [cell.strip() for text in sections for line in text.splitlines() for cell in line.split("|")]
    assert [cell for cell in cells if FIGURE.match(cell)] == []
    assert any(FIGURE.match(cell.removesuffix("ᴾ")) for cell in cells)
