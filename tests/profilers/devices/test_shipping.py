"""Commands that compile or choose, on a device elsewhere: export, select, compare and recipes over a local process."""

from __future__ import annotations

import json
import os
import re
import signal
import tomllib
from dataclasses import replace

import numpy as np
import pytest

import hwnas
import lut
from hwnas.api.exporting import make_request
from hwnas.cli import main
from hwnas.compare.measure import Row
from hwnas.compare.measure import measure as compare
from hwnas.export import parity, pipeline, present
from hwnas.export.build import PrecisionVariants
from hwnas.export.engine_selection import select_engine
from hwnas.onnx.writer import write_onnx
from hwnas.recipe.settings import load
from hwnas.recipe.stages.export import ExportStage
from hwnas.recipe.work import Work
from hwnas.search.archive import Evaluation
from hwnas.search.objectives import make_objectives
from hwnas.search.problem import Problem
from hwnas.select.guaranteed import choose_guaranteed, measure_as_tables
from lut.estimate.correction import Interval
from lut.estimate.roofline import estimate
from profilers.base import Options, TimingPlan
from profilers.devices import elsewhere, hosts
from profilers.devices.faults import DeviceUnreachable
from profilers.devices.hosts import profiler_at
from profilers.errors import BadInput
from profilers.registry import get_profiler
from profilers.timing.fingerprint import fingerprint
from tests.hwnas.searching import SPACE, genes
from tests.profilers.devices.conftest import agents
from tests.profilers.devices.pythons import local

pytestmark = pytest.mark.slow
PLAN = TimingPlan(min_rounds=3, max_rounds=4, warmup_runs=1, warmup_max_runs=1)
AWAY = local("/none/python")


def ended(arguments, capsys, code=0):
    """What a command says that ends with that code."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        main(arguments)
    said = capsys.readouterr().err
    assert end.value.code == code, said
    return said


def line(arguments, capsys):
    """The one line of a command that ends with 2."""
    (said,) = ended(arguments, capsys, 2).splitlines()
    return said


@pytest.fixture
def case(tmp_path):
    """Problem, rows and a table as if measured by the simulated device, whose intervals reach 10 % up and down."""
    made = estimate(SPACE, "GTX 1080 Ti", 1)
    facts = fingerprint(get_profiler("fake"), Options())
    table = replace(made, status="measured", method="in-context", options=Options(), fingerprint=facts,
                    interval=Interval(0.9, 1.1, 0.95, 10))  # fmt: skip
    lut.save(table, tmp_path / "cpu.json")
    objectives, coded = make_objectives(SPACE, ("top1", "cpu_ms"), {"cpu_ms": tmp_path / "cpu.json"}), genes(3)
    rows = [
        Evaluation(i, 0, "ok", arch, tuple(coded[i].tolist()), {"top1": 80.0 + i, "cpu_ms": float(ms)}, None, 0.0)
        for i, (arch, ms) in enumerate(zip(SPACE.decode(coded), objectives["cpu_ms"].evaluate(coded), strict=True))
    ]
    return Problem(SPACE, objectives, ("top1", "cpu_ms")), rows, {"cpu_ms": table}


def test_networks_that_straddle_a_budget_are_measured_there(case):
    """The simulated device's times follow from a formula, wherever it runs."""
    problem, rows, tables = case
    here, there = (measure_as_tables(problem, tables, PLAN, host)("cpu_ms", rows[:1]) for host in ("", local()))
    (network,) = there
    assert there[network].ms == here[network].ms > 0
    limit = {"cpu_ms": rows[0].objectives["cpu_ms"]}
    with pytest.raises(DeviceUnreachable, match=r"no Python 3.9 or newer \(/none/python\)"):
        choose_guaranteed(problem, rows[:1], tables, measure_as_tables(problem, tables, host=AWAY), budget=limit)
    another = {"cpu_ms": replace(tables["cpu_ms"], fingerprint=replace(tables["cpu_ms"].fingerprint, cpu="another"))}
    measure = measure_as_tables(problem, another, host=local())
    with pytest.raises(BadInput, match=r"cannot be measured .*another there"):
        choose_guaranteed(problem, rows[:1], another, measure, budget=limit)


def test_networks_are_compared_there_as_here(monkeypatch, capsys, device):
    """Whatever breaks the link."""
    networks = [(Row(a.id, "this search", a.r, 1, 1), write_onnx(SPACE.layers(a), batch=1)) for a in SPACE.extremes()]
    fake = profiler_at(local(), "fake")
    monkeypatch.setattr(elsewhere, "DELAYS", (0, 0.1, 0.5, 1))
    load, broken = type(fake).load, []

    def cut(self, model, options=None, *, traced=False):
        session = load(self, model, options, traced=traced)
        if not broken:
            broken.append(os.kill(int(agents(device)[0]), signal.SIGKILL))
        return session

    monkeypatch.setattr(type(fake), "load", cut)
    there, here = (compare(networks, profiler, Options(), PLAN) for profiler in (fake, get_profiler("fake")))
    assert [row.to_json() for row in there.rows] == [row.to_json() for row in here.rows]
    assert there.fingerprint.device == here.fingerprint.device and broken
    assert capsys.readouterr().err.count("connecting again") == 1


def test_an_engine_is_compiled_checked_and_timed_there(tmp_path, capsys, device, monkeypatch):
    """A link that breaks meanwhile costs little; the folder says where it is from, and is kept or refused."""
    monkeypatch.setattr(elsewhere, "DELAYS", (0, 0.1, 0.5, 1))
    checked = pipeline.verify_outputs

    def cut(item, session, *rest):
        os.kill(int(agents(device)[0]), signal.SIGKILL)
        return checked(item, session, *rest)

    monkeypatch.setattr(pipeline, "verify_outputs", cut)
    path = hwnas.Networks.sample("tiny", n=1, resolutions=[12]).save(tmp_path / "arch.jsonl")
    command = ["export", str(path), "--random-weights", "--quick", "--out", str(tmp_path / "e")]
    assert "connecting again" in ended([*command, "--device", local()], capsys)
    engine = hwnas.Engine(tmp_path / "e")
    sheet = engine.datasheet
    assert sheet["host"] == local() and sheet["parity"][parity.NOISE]["top1_agreement"] == 1
    assert sheet["fingerprint"]["runtime"] == "onnxruntime" and engine.measured_ms > 0
    assert f"reached as: {local()}" in (tmp_path / "e/datasheet.md").read_text()
    assert engine.infer(np.zeros((1, 1, 12, 12), "float32")).shape == (1, 10)
    assert "kept" in ended([*command, "--device", local()], capsys)
    assert f"host was '{local()}', is ''" in line(command, capsys)
    assert "no Python 3.9" in line([*command, "--device", AWAY], capsys)
    with monkeypatch.context() as before:  # a folder of an earlier version says nothing of a device
        request = {name: value for name, value in sheet["request"].items() if name != "host"}
        before.setattr(present.datasheet, "read", lambda folder: {**sheet, "request": request})
        asked = make_request("onnxruntime", device=local(), quick=True)
        assert [line for line in present.differs(tmp_path / "e", asked) if "host" in line]
    hosts.place_at(local()).connection.about["flags"] = "asimd"
    said = line(["validate", str(tmp_path / "e"), "--device", local()], capsys)
    assert re.search(
        r"its .ort file is optimised for version .*avx.*, not for version .* with asimd; .* try: --reb", said
    )
    elsewhere_only = "engine 'tensorrt' on a device elsewhere; allowed: onnxruntime"
    assert elsewhere_only in line([*command, "--engine", "tensorrt", "--device", local()], capsys)
    assert "unknown device 'board'" in line([*command, "--device", "board"], capsys)


def test_the_fastest_engine_is_chosen_among_those_of_the_device(tmp_path):
    """With a device's settings; torch is here, and is not timed beside engines there."""
    network = hwnas.Networks.sample("tiny", n=1, resolutions=[12])[0]
    made = hwnas.api.exporting._item(network.space, network.arch, None, hwnas.export.weights.Wanted(random=True), ())
    found = select_engine(PrecisionVariants(made), Options(), tmp_path, None, ("eager",), PLAN, host=local())
    assert {c.target.engine.profiler for c in found.candidates} == {"onnxruntime", "openvino"}
    assert {c.target.engine.host for c in found.candidates} == {local()}
    assert found.chosen.engine.host == local() and "another device" in found.references["eager"].how


def test_a_recipe_keeps_its_device(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    device = hwnas.Device("fake", host=local())
    found = hwnas.init("digits", space="tiny", device=device, minutes=1)
    assert tomllib.loads((tmp_path / "recipe.toml").read_text())["device"]["host"] == local()
    assert any("fake 1 on local:" in text and "training here" in text for text in found.remarks)
    work = Work(load(tmp_path / "recipe.toml"), tmp_path)
    assert work.device == device and ExportStage().options(work)["device"] == local()
    lines = []
    told = {"say": lines.append, "overrides": ["table.seconds=1", "resolutions=[12]", "compare.models=[]"]}
    hwnas.run_recipe(until="table", **told)
    journal = json.loads((tmp_path / "out/recipe.json").read_text())
    said = journal["stages"]["table"]["settings"]["device"]
    assert "host" not in said  # the same machine by another name is no other
    hwnas.run_recipe(until="table", device=hwnas.Device("fake"), **told)
    assert "table: kept" in lines[-1]
    checking, said = ended(["run", "--device", AWAY], capsys, 2).splitlines()
    assert checking.startswith("checking recipe.toml") and "no Python 3.9" in said
