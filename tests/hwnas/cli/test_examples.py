"""`hwnas` alone shows the uses, and each command's help ends with an example that its options allow."""

from __future__ import annotations

import shlex

import pytest
import typer

from hwnas.cli import build, main
from hwnas.cli.examples import EXAMPLES
from tools.documents.command_line import commands

COMMANDS = {
    path.removeprefix("hwnas "): command for path, command in commands(typer.main.get_command(build()), "hwnas")
}


def test_each_command_has_one():
    assert set(COMMANDS) == set(EXAMPLES)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_it_is_taken_by_its_command(name):
    example, command = EXAMPLES[name], COMMANDS[name]
    assert example.startswith(f"hwnas {name}") and example in command.epilog
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    words = shlex.split(example.removeprefix(f"hwnas {name}"))
    assert [word for word in words if word.startswith("-") and word not in known] == []


def test_alone_it_shows_the_uses(capsys):
    with pytest.raises(SystemExit):
        main([])
    shown = "".join(capsys.readouterr())
    for use in ("hwnas lut build --space mbv3", "hwnas init --images DIR", "hwnas export RUN --engine auto"):
        assert use in shown
