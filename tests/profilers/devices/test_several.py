"""Tables of several devices at the same time: each to its file, each failure a line, the others go on to the end."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import hwnas
from hwnas.api import device_tables, devices
from hwnas.cli import main
from lut.build import pipeline
from lut.build.schedule import BuildPlan
from profilers.devices import elsewhere, hosts
from profilers.errors import BadInput, EngineUnavailable, MeasurementFailed
from tests.profilers.devices.conftest import agents, left_behind
from tests.profilers.devices.namespaces import machines

ROOT = Path(__file__).resolve().parents[3]
QUICK = ("lut", "build", "--space", "tiny", "--engine", "fake", "--resolutions", "12")


def run(*arguments):
    try:
        main([*QUICK, *arguments])
    except SystemExit as end:
        return end.code
    return 0


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Two steps a table: a cover, and a group of networks."""
    monkeypatch.setattr(devices, "plan_of", lambda _, seed: BuildPlan(passes=1, networks=12, seed=seed))


@pytest.fixture
def named(tmp_path, device, monkeypatch):
    """Devices by name: other processes of this machine, each with a lock of its own; `gone` has no Python."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    for name in ("left", "right"):
        program = tmp_path / f"python-{name}"
        program.write_text(f'#!/bin/sh\nHWNAS_LOCK={device}/lock-{name} exec {sys.executable} "$@"\n')
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        hwnas.Devices().add(name, f"local:?python={program}")
    hwnas.Devices().add("gone", "local:?python=/none")


def test_one_fails_and_the_others_are_complete(named, capsys):
    code = run("--device", "left", "--device", "gone", "--device", "right")
    said = capsys.readouterr().err.splitlines()
    assert code == 2 and hwnas.LatencyTable("left.json").status == hwnas.LatencyTable("right.json").status == "measured"
    assert [line for line in said if line.startswith("gone: no table: local:?python=/none has no Python 3.9")]
    assert {"wrote left.json", "wrote right.json"} < set(said)
    assert said[-1].startswith("hwnas: 2 of 3 tables are complete, none of gone; try: the same command again")
    assert not Path("gone.json").exists()
    made = hwnas.build_tables([hwnas.Device("fake", host=n) for n in ("right", "gone")], "tiny", resolutions=[12])
    assert "right: right.json is a latency table of this very configuration, finished: kept" in capsys.readouterr().err
    assert list(made) == ["right"] and made.built == [] and made["right"].host == "right"
    assert "gone" in str(made) and "no Python 3.9" in made.remarks[0] and made.files["gone"] == Path("gone.json")
    with pytest.raises(EngineUnavailable, match=r"no Python 3\.9"):
        _ = made["gone"]
    with pytest.raises(MeasurementFailed, match="1 of 2 tables are complete, none of gone"):
        made.require()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--device", "left", "--device", "left"], "left is given 2 times"),
        (
            ["--device", "left", "--device", "right", "--out", "t.json"],
            "one file, t.json, for 2 devices; allowed: a name",
        ),
        (["--device", "local:", "--device", "local:?python=/none"], "local.json would be the table of 2 devices"),
        (["--device", "left", "--device", "nobody"], "unknown device 'nobody'"),
        (["--device", "left", "--device", "right", "--method", "guess"], "guess"),
        ([], "no --out; allowed: the table's file"),
    ],
)
def test_what_is_refused_before_anything_begins(arguments, line, named, capsys):
    assert run(*arguments) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert line in said


def test_refusals_of_python(named):
    with pytest.raises(BadInput, match="no device"):
        hwnas.build_tables([], "tiny")
    with pytest.raises(BadInput, match="this machine among several devices"):
        hwnas.build_tables([hwnas.Device("fake"), hwnas.Device("fake", host="left")], "tiny")


@pytest.mark.parametrize(
    ("device", "name"),
    [
        ("board", "board"),
        ("ssh://me@192.168.0.7?python=/opt/python", "192.168.0.7"),
        ("ssh://me@board.lab:2222", "board.lab-2222"),
        ("ssh://me@[::1]:22", "1-22"),
        ("local:", "local"),
    ],
)
def test_files_are_named_by_the_device(device, name):
    assert device_tables._file(device, "a/{device}.json", 2) == Path(f"a/{name}.json")


INTERRUPTED = """
import os, signal, sys, threading
from hwnas.api import devices
from hwnas.cli import main
from lut.build import pipeline
from lut.build.schedule import BuildPlan

devices.plan_of = lambda _, seed: BuildPlan(passes=1, networks=12, seed=seed)
begun, original = threading.Barrier(3), pipeline.measure_step

def measured(bench, builder, plan, step, earlier):
    if len(earlier) == 1:
        begun.wait(60)
        while True:  # at work until the interruption
            original(bench, builder, plan, step, earlier)
    return original(bench, builder, plan, step, earlier)

pipeline.measure_step = measured
threading.Thread(target=lambda: (begun.wait(60), os.kill(os.getpid(), signal.SIGINT)), daemon=True).start()
main(sys.argv[1:])
"""


def test_an_interruption_ends_all_and_says_what_is_kept(named, device):
    """Ctrl-C while two devices are at work, in a process of its own: no agent is left, the same command goes on."""
    command = [sys.executable, "-c", INTERRUPTED, *QUICK, "--device", "left", "--device", "right"]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    said = done.stderr.splitlines()[-1]
    assert done.returncode == 130, done.stderr
    assert said.startswith("hwnas: interrupted; finished tables and steps are kept: left.json.partial, right.json.part")
    assert left_behind(device) == [] and agents(device) == []
    assert run("--device", "left", "--device", "right") == 0


def test_a_fault_of_ours_ends_the_call_after_the_others(named, monkeypatch):
    def broken(self, *args, **settings):
        raise ZeroDivisionError

    monkeypatch.setattr(hwnas.Device, "build_table", broken)
    with pytest.raises(ZeroDivisionError):
        hwnas.build_tables([hwnas.Device("fake", host=name) for name in ("left", "right")], "tiny")


@pytest.mark.slow
def test_two_machines_of_which_one_is_switched_off(tmp_path, capsys, monkeypatch):
    """Two sshd in two network namespaces: the other's table is complete, and the same command completes the one."""
    monkeypatch.setattr(elsewhere, "DELAYS", (0.0, 0.2, 0.5))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    steps, original = [], pipeline.measure_step
    command = ("--device", "stays", "--device", "dies")
    with machines(tmp_path, 2) as (stays, dies), stays.on() as one:

        def measured(bench, builder, plan, step, earlier):
            name = bench.profiler.place.host.partition("@")[2].partition(":")[0]
            steps.append((name, step.name))
            if name == dies.address and len(earlier) == 1:
                assert dies.power_off() > 1
            return original(bench, builder, plan, step, earlier)

        monkeypatch.setattr(pipeline, "measure_step", measured)
        with dies.on() as two:
            both = "".join((found.folder / "client").read_text() for found in (one, two))
            (tmp_path / "client").write_text(both)
            monkeypatch.setenv("HWNAS_SSH", f"ssh -F {tmp_path}/client")
            for name, found in (("stays", one), ("dies", two)):
                hwnas.Devices().add(name, found.host())
            assert run(*command) == 2
            said = capsys.readouterr().err
            assert "dies: no table: the link to ssh://" in said and "1 of 2 tables are complete, none of dies" in said
        whole = hwnas.LatencyTable("stays.json")
        assert whole.status == "measured" and not Path("dies.json").exists()
        monkeypatch.setattr(pipeline, "measure_step", original)
        done = len(steps)
        with dies.on():
            assert run(*command) == 0
            said = capsys.readouterr().err
            assert "stays: stays.json is a latency table of this very configuration, finished: kept" in said
            assert whole.verify(n=2)["mape"] < 0.02 and hwnas.LatencyTable("dies.json").status == "measured"
            assert [name for name, _ in steps[:done]].count(dies.address) == 2
            hosts.close_all()
            assert [left_behind(machine.root) for machine in (stays, dies)] == [[], []]
