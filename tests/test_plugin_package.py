"""What others bring: a package with a runtime, a space, an objective, an accuracy and a surrogate, by the commands.

Each object is a file of at most 25 lines in tests/plugin_package.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hwnas.testing.models import chain

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
SOURCE = Path(__file__).parent / "plugin_package"
OWN = f"python:{SOURCE}/hwnas_example/runtime:Plain"
RUN = """\
space = "little"
accuracy = "saturating:90"
objectives = ["top1", "params", "energy_uj", "plain_ms"]
seed = 1
[tables]
plain_ms = "table.json"
[search]
initial = 12
iterations = 2
per_iteration = 4
surrogate = "nearest"
"""


class Shell:
    """The command line in processes of their own, in a folder."""

    def __init__(self, folder: Path, *path: Path) -> None:
        self.folder, self.path = folder, os.pathsep.join(map(str, (ROOT, *path)))

    def run(self, *command: object) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": self.path}
        words = [sys.executable, *map(str, command)]
        return subprocess.run(words, capture_output=True, text=True, cwd=self.folder, env=environment)

    def hwnas(self, *command: object) -> list[dict]:
        done = self.run("-m", "hwnas", *command)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def shell(tmp_path_factory) -> Shell:
    """Where the package is installed; its table, its run and one engine are there."""
    folder = tmp_path_factory.mktemp("plugins")
    shutil.copytree(SOURCE, folder / "source")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--target", folder / "site", folder / "source"], check=True, capture_output=True)
    (folder / "run.toml").write_text(RUN)
    shell = Shell(folder, folder / "site")
    build = ["--method", "isolated", "--budget-seconds", "1", "--out", "table.json"]
    shell.hwnas("lut", "build", "--space", "little", "--engine", "plain", *build)
    shell.hwnas("search", "run.toml", "--out", "run")
    return shell


@pytest.mark.parametrize("path", sorted((SOURCE / "hwnas_example").glob("*.py")), ids=lambda path: path.stem)
def test_each_is_one_short_file(path):
    assert len(path.read_text().splitlines()) <= 25


def test_its_engine_is_listed_and_profiles_any_model(shell):
    rows = {row["engine"]: row for row in shell.hwnas("engines", "--json")}
    assert rows["plain"]["available"] and rows["plain"]["precisions"] == ["fp32"]
    (shell.folder / "chain.onnx").write_bytes(chain())
    (found,) = shell.hwnas("profile", "chain.onnx", "--engine", "plain")
    assert found["engine"] == "plain" and found["ms"] > 0
    assert found["notes"] == ["no times of layers: plain has no per-node times"]


def test_a_search_uses_its_space_accuracy_objective_and_table(shell):
    rows = [row for row in shell.hwnas("archive", "run", "--format", "jsonl") if row["status"] == "ok"]
    assert len(rows) == 20
    archs = "".join(json.dumps(row["arch"]) + "\n" for row in rows)
    (shell.folder / "archs.jsonl").write_text(archs)
    counts = shell.hwnas("count", "--space", "little", "--archs", "archs.jsonl")
    predicted = shell.hwnas("lut", "predict", "table.json", "--archs", "archs.jsonl")
    for row, count, guess in zip(rows, counts, predicted, strict=True):
        found, network = row["objectives"], row["arch"]
        layers = 6 + sum(network["d"])  # stem, first block, four of the head
        size = sum(network["ks"]) + 2 * sum(network["e"]) + network["r"]
        assert found["top1"] == pytest.approx(90 * size / (size + 30))
        assert found["params"] == count["params"] and found["plain_ms"] == pytest.approx(guess["ms"])
        assert found["energy_uj"] == pytest.approx(4.6e-6 * count["madds"] + 0.05 * layers)


def test_a_chosen_network_is_shipped_on_its_engine(shell):
    (chosen,) = shell.hwnas("select", "run", "--budget", "energy_uj<=0.9", "-n", "1")
    assert chosen["objectives"]["energy_uj"] <= 0.9
    export = ["export", "run", "--id", chosen["id"], "--engine", "plain", "--random-weights", "--quick"]
    (row,) = shell.hwnas(*export, "--out", "engines")
    assert row["engine"] == "plain" and row["predicted_ms"] > 0 and row["measured_ms"] > 0
    folder = shell.folder / row["folder"]
    found = shell.hwnas("validate", folder, "--quick")[0]
    assert found["parity_max_abs"] < 1e-5 and found["measured_ms"] > 0
    Image.fromarray(np.zeros((16, 16), np.uint8)).save(shell.folder / "digit.png")
    done = shell.run(folder / "run.py", "digit.png")
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 5, done.stderr


def test_a_report_shows_it(shell):
    (found,) = shell.hwnas("report", "run")
    assert "energy_uj" in (shell.folder / found["report"]).read_text()


def test_a_runtime_of_ones_own_module_needs_no_package(shell, tmp_path):
    """A table names the runtime; only its user says which module that is."""
    alone = Shell(tmp_path)
    shutil.copy(shell.folder / "table.json", tmp_path / "table.json")
    assert [row["engine"] for row in alone.hwnas("engines", OWN, "--json")] == ["plain"]
    verify = ["-m", "hwnas", "lut", "verify", "table.json", "--archs", "2"]
    refused = alone.run(*verify)
    assert refused.returncode == 2 and refused.stderr.count("\n") == 1
    assert "unknown engine 'plain'" in refused.stderr and "--engine python:module:Class" in refused.stderr
    done = alone.run(*verify, "--engine", OWN)
    assert done.returncode == 0 and json.loads(done.stdout)["mape"] > 0, done.stderr
