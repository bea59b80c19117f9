"""Devices over ssh, on a server of the test's own: tables and profiles, links that are cut, and every fault's line."""

from __future__ import annotations

import re
import shlex
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

import hwnas
from hwnas.cli import main
from lut.build import pipeline
from profilers.devices import elsewhere
from profilers.devices.hosts import close_all
from profilers.devices.transport import LocalTransport
from profilers.errors import FingerprintMismatch
from tests.profilers.devices.conftest import agents, left_behind
from tests.profilers.devices.pythons import bare_python, old_python
from tests.profilers.devices.sshd import server

pytestmark = pytest.mark.slow
DOCUMENT = Path(__file__).parents[3] / "docs/devices.md"


@pytest.fixture
def sshd(tmp_path, device, monkeypatch):
    with server(tmp_path / "sshd", device) as found:
        monkeypatch.setenv("HWNAS_SSH", found.ssh)
        yield found
        close_all()
        assert left_behind(device) == []


SHORTER = {
    "--space mbv3 --engine onnxruntime": "--space tiny --engine fake --resolutions 12 --budget-seconds 1",
    "--archs 36": "--archs 2",
    "engines/a --device": "engines/a --quick --device",
    "--out engines/a": "--engine onnx --out engines/a",
    "compare runs/a": "compare runs/a --models model.onnx --engine fake",
    "--images photos": "--images digits --space tiny --engine fake --minutes 1",
    "hwnas run\n": "hwnas run --dry-run --set resolutions=[12] --set compare.models=[]\n",
}


def test_the_way_as_it_is_written(sshd, tmp_path, device, monkeypatch, capsys):
    """The commands of docs/devices.md, of another address and shorter; one connection and one agent serve all."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    (network,) = hwnas.Networks.sample("tiny", n=1)
    Path("model.onnx").write_bytes(network.onnx())
    text = re.sub(r'"ssh://[^"]*"', f'"{sshd.host()}"', DOCUMENT.read_text())
    for long, short in SHORTER.items():
        assert long in text
        text = text.replace(long, short)
    blocks = "".join(re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    commands = re.findall(r"^hwnas (.*)$", blocks, re.MULTILINE)
    assert len(commands) == 12
    for command in commands:
        said = command.replace("cpu_ms<=10", f"cpu_ms<={searched()}") if command.startswith("select") else command
        assert run(shlex.split(said)) == 0, capsys.readouterr().err
        if said != command:
            assert '"measured"' in capsys.readouterr().out
    assert hwnas.LatencyTable("board.json").data.verify["mape"] > 0
    assert hwnas.Engine("engines/a").datasheet["host"] == "board"
    assert 'host = "board"' in Path("recipe.toml").read_text()
    assert (sshd.folder / "log").read_text().count("Accepted publickey") == 1
    assert len(agents(device)) == 1


def searched():
    """A run in runs/a; a limit just within the interval of the latency of its most accurate network."""
    found = hwnas.search("tiny", lambda arch: 80.0 + sum(arch["d"]) + sum(arch["e"]) / 100, iterations=0, initial=8,
                         objectives=["top1", "cpu_ms"], resolutions=[12], tables={"cpu_ms": "board.json"},
                         out="runs/a")  # fmt: skip
    slowest = max(found.front(), key=lambda network: network.objectives["cpu_ms"])
    (ms,) = hwnas.LatencyTable("board.json").predict([slowest])
    return ms["ms"] + 0.9 * (ms["high"] - ms["ms"])


def test_a_table_with_links_that_are_cut(sshd, tmp_path, device, monkeypatch, capsys):
    """Each cut costs the step in work and nothing else; what was measured there is verified there."""
    monkeypatch.setattr(elsewhere, "DELAYS", (0.0, 0.2, 0.5, 1.0, 2.0))
    steps, original = [], pipeline.measure_step

    def measured(bench, builder, plan, step, earlier):
        if len(steps) in (1, 2):
            threading.Thread(target=cut, args=(0.05 * len(steps),)).start()
        steps.append(step.name)
        return original(bench, builder, plan, step, earlier)

    def cut(seconds):
        time.sleep(seconds)
        assert sshd.cut() >= 1

    monkeypatch.setattr(pipeline, "measure_step", measured)
    there = hwnas.Device("fake", host=sshd.host())
    table = there.build_table("tiny", tmp_path / "t.json", resolutions=[12], budget_seconds=1)
    assert capsys.readouterr().err.count("connecting again") == 2
    assert steps == list(dict.fromkeys(steps)) and len(agents(device)) == 1
    assert table.host == there.host and table.data.fingerprint.runtime == "fake"
    assert table.verify(n=2)["mape"] < 0.02
    another = replace(table.data, fingerprint=replace(table.data.fingerprint, cpu="another"))
    with pytest.raises(FingerprintMismatch, match=r"cpu: .* here, another there"):
        hwnas.LatencyTable(another, host=there.host).verify(n=2)


def test_an_engine_is_validated_there_whatever_is_cut(sshd, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(elsewhere, "DELAYS", (0.0, 0.2, 0.5, 1.0, 2.0))
    network = hwnas.Networks.sample("tiny", n=1)[0]
    engine = network.export("onnxruntime", out=tmp_path / "e", random_weights=True, quick=True)
    cut: list[int] = []
    done = threading.Event()

    def once():
        while not done.wait(0.2) and not cut:
            cut.extend([links] if (links := sshd.cut()) else [])

    thread = threading.Thread(target=once)
    thread.start()
    found = engine.validate(host=sshd.host(), quick=True)
    done.set()
    thread.join()
    assert cut
    assert found["differences"] == [] and found["top1_agreement"] == 1 and found["parity_max_abs"] < 1e-3
    assert found["measured_low"] <= found["measured_ms"] <= found["measured_high"]
    with pytest.raises(FingerprintMismatch, match=r"runtime_version: 1\.19\.2 here"):
        engine.validate(host=sshd.host(old_python()))
    found = engine.validate(host=sshd.host(old_python()), rebuild=True, quick=True)
    assert found["differences"] and found["top1_agreement"] == 1
    assert '("1.19.2", {' in (tmp_path / "e/run.py").read_text()


def test_a_device_with_python_3_9_and_one_without_the_runtime(sshd, capsys):
    """What is there, and what to install; a line and exit code 2."""
    assert run(["engines", "onnxruntime", "openvino", "--device", sshd.host(old_python())]) == 0
    ort, vino = capsys.readouterr().out.splitlines()
    assert "yes" in ort and "cpu: fp32, int8" in ort
    assert "no   openvino is not installed on ssh://" in vino and "-m pip install openvino" in vino
    assert run(["profile", "a.onnx", "--engine", "openvino", "--device", sshd.host(old_python())]) == 2


def run(arguments):
    try:
        main(arguments)
    except SystemExit as end:
        return end.code
    return 0


def fault(arguments, capsys):
    """The one line of a command that ends with 2."""
    assert run(["engines", "--device", arguments]) == 2
    close_all()
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_every_fault_is_a_line(sshd, capsys, monkeypatch, device):
    host = sshd.host()
    assert "no Python 3.9 or newer (/none/python)" in fault(sshd.host("/none/python"), capsys)
    assert "has no numpy; try: there: " in fault(sshd.host(bare_python()), capsys)
    assert "no host of that name" in fault("ssh://me@no-such-host.invalid", capsys)
    assert "no ssh server answers there" in fault("ssh://127.0.0.1:1", capsys)
    assert "allowed: ssh://[user@]host[:port]" in fault("http://board", capsys)
    assert "allowed: ssh://[user@]host[:port]" in fault("ssh://-oProxyCommand=true", capsys)
    monkeypatch.setenv("HWNAS_SSH", f"{sshd.ssh} -i {sshd.folder}/stranger -o IdentityFile={sshd.folder}/stranger")
    (sshd.folder / "client").write_text((sshd.folder / "client").read_text().replace("/me\n", "/stranger\n"))
    assert "it accepts none of your keys" in fault(host, capsys)
    (sshd.folder / "known_hosts").write_text("")
    assert "its host key is not known, or is another than before" in fault(host, capsys)
    monkeypatch.setenv("HWNAS_SSH", "/no/such/ssh")
    assert "the command cannot be run" in fault(host, capsys)


def test_what_a_login_prints_is_passed_over():
    started = elsewhere.Connection(Chatty(LocalTransport()), sys.executable)
    assert started.about["python"]
    started.close()


class Chatty:
    """A transport whose login shell greets."""

    def __init__(self, inner):
        self.inner, self.host, self.put = inner, inner.host, inner.put

    def run(self, script):
        return self.inner.run(f"echo 'Last login: today'; echo -n 'no new mail '\n{script}")
