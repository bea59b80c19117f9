"""What a command prints at a terminal, and that a pipe gets the same JSON as ever."""

from __future__ import annotations

import json
import sys

import pytest
import typer

from hwnas.cli import build, main, output
from tests.hwnas.cli.test_basics import SMALL, write_archs
from tools.documents.command_line import commands

COMMANDS = dict(commands(typer.main.get_command(build()), "hwnas"))


@pytest.fixture
def hwnas(capsys, monkeypatch):
    """Run a command line, at a terminal or not; gives (exit code, stdout, stderr)."""

    def call(*arguments, terminal):
        monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
        monkeypatch.setenv("COLUMNS", "80")
        with pytest.raises(SystemExit) as stopped:
            main([str(a) for a in arguments])
        return int(stopped.value.code or 0), *capsys.readouterr()

    return call


@pytest.mark.parametrize("name", sorted(name for name, found in COMMANDS.items() if "JSON" in found.help))
def test_each_command_that_prints_json_can_be_forced_to(name):
    assert "--json" in {option for parameter in COMMANDS[name].params for option in parameter.opts}


def test_a_terminal_gets_a_table_with_rounded_numbers(hwnas, tmp_path):
    file = write_archs(tmp_path / "a.jsonl", SMALL, SMALL | {"r": 256})
    asked = "count", "--space", "mbv3", "--archs", file
    _, piped, _ = hwnas(*asked, terminal=False)
    assert [json.loads(line)["params"] for line in piped.splitlines()] == [3410792] * 2
    assert hwnas(*asked, "--json", terminal=True)[1] == piped
    _, shown, _ = hwnas(*asked, terminal=True)  # --json of the call before is forgotten
    wanted = [[f"{value:,}" for value in json.loads(line).values()] for line in piped.splitlines()]
    assert [line.split() for line in shown.splitlines() if "3," in line] == wanted


def test_one_object_is_shown_as_names_and_values(hwnas, tmp_path):
    code, shown, _ = hwnas("count", "--space", "mbv3", "--archs", write_archs(tmp_path / "a", SMALL), terminal=True)
    assert code == 0 and ["params", "3,410,792"] in [line.split() for line in shown.splitlines()]


def test_a_table_of_the_command_stands_for_its_json(hwnas):
    asked = "space", "tiny"
    _, out, err = hwnas(*asked, terminal=True)
    assert "smallest" in out and "{" not in out and err == ""
    _, out, err = hwnas(*asked, terminal=False)
    assert json.loads(out)["space"] == "tiny" and "smallest" in err


def test_values_of_all_kinds():
    row = {"ms": 1.23456789, "count": 41000.0, "kept": True, "none": None, "text": "[bold]", "empty": [],
           "ends": [0.123456, 2], "many": list(range(9)),
           "one": {"b": 0.5}, "deep": {"a": {"b": 0.5}}, "rows": [{"a": 1}]}  # fmt: skip
    assert output._flat(row) == {
        "ms": "1.235", "count": "41,000", "kept": "yes", "none": "-", "text": "[bold]", "empty": "-",
        "ends": "0.1235, 2", "many": "0, 1, 2, 3, … (9)", "one.b": "0.5",
        "deep": "1 of them (--json)", "rows": "1 of them (--json)",
    }  # fmt: skip


def test_what_is_kept_comes_before_the_next_line_and_once(hwnas, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    output.force(False)
    output.emit({"text": "[bold]"})
    output.say("after")
    output.finish()
    out, err = capsys.readouterr()
    assert out.count("[bold]") == 1 and err == "after\n" and output._kept == []
