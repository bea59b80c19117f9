"""Every option of `hwnas export` is used or refused in one line, whatever the source; random weights are asked for."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import lut
from hwnas.export import datasheet
from hwnas.nets.checkpoint import Provenance, save_network, save_supernet
from hwnas.nets.network import Network
from hwnas.nets.supernet import Supernet
from hwnas.report import load_run, write_report
from hwnas.space import get_space
from lut.estimate.roofline import estimate
from tests.hwnas.net_configs import net_config
from tests.hwnas.searching import SPACE, formula, run_search

DIGITS = Provenance("digits", (0.3059,), (0.3770,))
WARNING = "random weights: for latency only"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A run whose accuracies come from a function, and a file of each other kind of source."""
    folder = tmp_path_factory.mktemp("sources")
    run_search(folder / "run", iterations=0).archive.close()
    arch = SPACE.extremes()[0]
    (folder / "arch.json").write_text(json.dumps(arch.to_json()))
    save_supernet(folder / "supernet.safetensors", Supernet(SPACE), DIGITS)
    save_network(folder / "network.safetensors", Network(SPACE.layers(arch), arch), SPACE, DIGITS)
    lut.save(estimate(SPACE, "GTX 1080 Ti", 64), folder / "gpu.json")
    return folder


def expected(arch) -> str:
    return f"{formula(arch):.2f}"


def refused(hwnas, files, arguments):
    """The one line that a command line is refused with; nothing is written."""
    arguments = [str(files / a[1:]) if a.startswith("@") else a for a in arguments]
    code, rows, err = hwnas("export", *arguments, "--engine", "onnx", "--quick", "--out", files / "x")
    assert code == 2 and rows == [] and not (files / "x").exists()
    (line,) = err.splitlines()
    assert line.startswith("hwnas: ")
    return line


@pytest.mark.parametrize("source", ["@run", "@arch.json"])
def test_random_weights_are_not_shipped_unasked(hwnas, files, source):
    space = [] if source == "@run" else ["--space", "tiny"]
    line = refused(hwnas, files, [source, *space])
    assert "weights" in line and "--supernet CKPT, or --random-weights" in line
    if source == "@run":
        assert "since its accuracies come from an object of the program" in line
        assert "--supernet CKPT, or --random-weights" in refused(hwnas, files, ["@run", "--all"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["@run", "--space", "mbv3"], "--space for "),
        (["@run", "--resolutions", "8,16"], "--resolutions for "),
        (["@run", "--supernet", "/nowhere.pth"], "/nowhere.pth"),
        (["@run", "--random-weights", "--table", "/nowhere.json"], "/nowhere.json"),
        (["@run", "--random-weights", "--table", "@gpu.json"], "predicts no engine like this"),
        (["@run", "--random-weights", "--supernet", "@supernet.safetensors"], "both --supernet and --random-weights"),
        (["@run", "--random-weights", "--all", "--id", "x"], "both --id and --all"),
        (["@run", "--supernet", "@network.safetensors"], "is a network"),
        (["@run", "--images", "/nowhere"], "--images without --supernet"),
        (["@run", "--random-weights", "--dataset", "digits"], "--dataset without --supernet"),
        (["@run", "--supernet", "@supernet.safetensors", "--no-recalibration"], "which names its data set"),
        (["@run", "--supernet", "@supernet.safetensors", "--images", "/nowhere"], "which names its data set"),
        (["@run", "--supernet", "@supernet.safetensors", "--dataset", "cifar10:/nowhere"], "/nowhere"),
        (["@arch.json", "--supernet", "x", "--images", "a", "--dataset", "digits"], "both --dataset and --images"),
        (["@network.safetensors", "--dataset", "digits"], "--dataset for "),
        (["@arch.json", "--space", "tiny", "--id", "x"], "--id for "),
        (["@arch.json", "--space", "tiny", "--all"], "--all for "),
        (["@network.safetensors", "--space", "tiny"], "--space for "),
        (["@network.safetensors", "--resolutions", "16"], "--resolutions for "),
        (["@network.safetensors", "--supernet", "@supernet.safetensors"], "--supernet for "),
        (["@network.safetensors", "--random-weights"], "--random-weights for "),
        (["@network.safetensors", "--id", "x"], "--id for "),
        (["@network.safetensors", "--all"], "--all for "),
        (["@network.safetensors", "--batch", "0"], "batch = 0"),
        (["@network.safetensors", "--max-accuracy-drop", "1"], "--max-accuracy-drop with --engine onnx"),
        (["@network.safetensors", "--no-compiled"], "--compiled with --engine onnx"),
        (["@network.safetensors", "--calibration", "/nowhere"], "--calibration with --precision fp32"),
    ],
)
def test_an_option_that_would_change_nothing_is_refused(hwnas, files, arguments, message):
    assert message in refused(hwnas, files, arguments)


def test_a_precision_beside_auto_is_refused(hwnas, files):
    code, _, err = hwnas("export", files / "network.safetensors", "--engine", "auto", "--precision", "fp16",
                         "--out", files / "x")  # fmt: skip
    assert code == 2 and "--precision fp16 with --engine auto" in err


def test_a_net_config_has_one_size(hwnas, tmp_path):
    space = get_space("mbv3", [64])
    (tmp_path / "net.config").write_text(json.dumps(net_config(space.layers(space.extremes()[0]))))
    line = refused(hwnas, tmp_path, ["@net.config", "--resolutions", "64,96", "--random-weights"])
    assert "2 image sizes for one network" in line


@pytest.mark.slow
def test_a_supernet_given_with_a_run_is_the_one_that_is_exported(hwnas, files, tmp_path):
    code, rows, _ = hwnas("export", files / "run", "--supernet", files / "supernet.safetensors", "--engine", "onnx",
                          "--quick", "--out", tmp_path / "x")  # fmt: skip
    assert code == 0 and rows
    sheet = datasheet.read(tmp_path / "x" / rows[0]["id"])
    assert sheet["weights"].startswith("inherited from supernet.safetensors (SHA-256 ")
    assert sheet["warnings"] == [] and sheet["accuracy"]["top1"]["value"] == rows[0]["top1"]


@pytest.mark.slow
def test_random_weights_say_so_everywhere_and_no_accuracy_stands_beside_them(hwnas, files, tmp_path):
    run = files / "run"
    code, rows, err = hwnas("export", run, "--random-weights", "--engine", "onnxruntime", "--quick",
                            "--out", run / "engines")  # fmt: skip
    assert code == 0 and all(row["warnings"] == [WARNING] and row["top1"] is None for row in rows)
    assert err.count(f"{WARNING}\n") == len(rows)
    folder = run / "engines" / rows[0]["id"]
    sheet = datasheet.read(folder)
    searched = expected(SPACE.parse(sheet["architecture"]))
    assert sheet["warnings"] == [WARNING] and sheet["objectives"]["top1"]["value"] is None
    text = (folder / "datasheet.md").read_text()
    assert f"**Warning: {WARNING}.**" in text and "ready to run" not in text and searched not in text
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "x.png")
    done = subprocess.run([sys.executable, folder / "run.py", tmp_path / "x.png"], capture_output=True, text=True)
    assert done.returncode == 0 and f"warning: {WARNING}" in done.stdout + done.stderr
    write_report(load_run(run), tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    table = page[page.index("Exported engines") :]
    table = table[: table.index("</table>")]
    assert table.count(WARNING) >= len(rows) and searched not in table


@pytest.mark.slow
def test_a_datasheet_of_before_is_warned_of_too(hwnas, files, tmp_path):
    hwnas("export", files / "arch.json", "--space", "tiny", "--random-weights", "--engine", "onnx", "--quick",
          "--out", tmp_path / "x")  # fmt: skip
    sheet = json.loads((tmp_path / "x/datasheet.json").read_text())
    del sheet["warnings"], sheet["checksum"]
    datasheet.write(tmp_path / "x", {k: v for k, v in sheet.items() if k not in ("kind", "schema")})
    assert datasheet.read(tmp_path / "x")["warnings"] == [WARNING]
