"""Devices by name, and what is advised of one before it is measured on."""

from __future__ import annotations

import json
import re
import sys

import pytest

import hwnas
from hwnas.cli import main
from profilers.devices import hosts
from profilers.devices.checkup import advice, checkup
from profilers.errors import BadInput


@pytest.fixture(autouse=True)
def configuration(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config/hwnas/devices.toml"


def run(*arguments):
    with pytest.raises(SystemExit) as end:
        main(["devices", *arguments])
    return end.value.code


def test_names_are_kept_and_used(configuration, capsys):
    assert run("add", "board", "ssh://me@192.168.0.7:2222") == 0
    assert run("add", "pi", "ssh://pi") == 0 and run("remove", "pi") == 0
    capsys.readouterr()
    assert run("list", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"name": "board", "address": "ssh://me@192.168.0.7:2222"}
    assert hosts.place_at("board") is hosts.place_at("ssh://me@192.168.0.7:2222")
    assert 'board = "ssh://me@192.168.0.7:2222"' in configuration.read_text()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["check", "bord"], "unknown device 'bord'; allowed: board; try: board"),
        (["remove", "bord"], "unknown device 'bord'; allowed: board; try: board"),
        (["add", "a/b", "ssh://a"], "device name 'a/b'; allowed: letters, digits, - and _"),
        (["add", "a", "http://a"], "device 'http://a'; allowed: ssh://[user@]host[:port]"),
        (["add", "a", "ssh://a?key=1"], "device 'ssh://a?key=1' with 'key'; allowed: ssh://"),
    ],
)
def test_what_is_no_name_or_no_address(arguments, line, capsys):
    hwnas.Devices().add("board", "ssh://me@board")
    assert run(*arguments) == 2
    assert line in capsys.readouterr().err


@pytest.mark.parametrize(
    "text", ["devices = 3", "[devices]\nboard = 3", "[devices", f"x = {'9' * 5000}", f"x = {'[' * 5000}"]
)
def test_a_file_of_something_else(configuration, text):
    configuration.parent.mkdir(parents=True)
    configuration.write_text(text)
    with pytest.raises(BadInput, match=r"devices\.toml"):
        hwnas.Devices()


@pytest.mark.slow
def test_check_says_what_is_there(capsys):
    hwnas.Devices().add("here", f"local:?python={sys.executable}")
    assert run("check", "here") == 0
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert found["python"].startswith("3.") and "engine onnxruntime" in found and "engine fake" not in found
    assert found["allowed"] >= 1 and found["free_disk_gb"] > 0


GOOD = {"governors": ["performance"], "celsius": 50.0, "slows_at_celsius": 85.0, "load": 0.1, "free_disk_gb": 9.0,
        "free_memory_gb": 2.0, "measured_by": ""}  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"governors": ["ondemand"]}, "governor ondemand.*cpupower"),
        ({"celsius": 80.0}, "80 °C and slows down at 85 °C"),
        ({"load": 1.2}, "other work uses about 1.2 cores"),
        ({"free_disk_gb": 0.3}, "0.3 GB of its disk"),
        ({"free_memory_gb": 0.2}, "0.2 GB of its memory"),
        ({"measured_by": "me@laptop since noon"}, "measured on by me@laptop since noon"),
    ],
)
def test_advice(wrong, line):
    assert advice(GOOD, ["onnxruntime"]) == []
    (found,) = advice({**GOOD, **wrong}, ["onnxruntime"])
    assert re.search(line, found)
    assert "no runtime" in advice(GOOD, [])[0]
    assert advice(dict.fromkeys(GOOD), ["onnxruntime"]) == []


def test_what_a_machine_does_not_say_is_none():
    found = checkup()
    assert found["cores"] >= 1 and set(GOOD) <= set(found)
