"""Two of the same command on one output: the second is refused in one line that names the first."""

from __future__ import annotations

import json
import os

import pytest

import hwnas
from hwnas.cli import main
from hwnas.search.run import locked
from profilers.locks import alone
from tests.drawings import make

TRAINING = 'space = "tiny"\ndataset = "folder:pictures"\nresolutions = [12]\n'
SUPERNET = f'{TRAINING}out = "s.safetensors"\n[[phases]]\nname = "a"\nsteps = 1\n'
FINETUNE = f'{TRAINING}out = "nets"\narchs = "a.jsonl"\nsteps = 1\n'


def refused(capsys, *arguments: str) -> str:
    """The last line of a command that cannot begin."""
    with pytest.raises(SystemExit) as end:
        main(list(arguments))
    assert end.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_of_tables_searches_and_exports(here, capsys):
    (arch,) = hwnas.Networks.sample("tiny", n=1)
    (here / "a.json").write_text(json.dumps(arch.arch.to_json()))
    (here / "c.toml").write_text(
        'space = "tiny"\naccuracy = "python:json:dumps"\n[search]\ninitial = 8\niterations = 0\n'
    )
    with alone(here / "t.json", "is building"), alone(here / "e", "is exporting to"), locked(here / "run"):
        said = refused(capsys, "lut", "build", "--space", "tiny", "--engine", "fake", "--out", "t.json")
        me = f"hwnas: process {os.getpid()}"
        assert said == f"{me} is building t.json; allowed: one at a time; try: wait for it, or another --out"
        said = refused(capsys, "search", "c.toml", "--out", "run")
        assert said == f"{me} is searching in run; allowed: one at a time; try: another --out"
        said = refused(
            capsys, "export", "a.json", "--space", "tiny", "--random-weights", "--engine", "onnx", "--out", "e"
        )
        assert said == f"{me} is exporting to e; allowed: one at a time; try: wait for it, or another --out"
    assert sorted(path.name for path in here.iterdir()) == ["a.json", "c.toml"]


def test_of_training_and_recipes(here, capsys):
    make(here / "pictures", classes=2, per_class=10, size=12)
    hwnas.Networks.sample("tiny", n=1, resolutions=[12]).save(here / "a.jsonl")
    for name, text in {"s": SUPERNET, "f": FINETUNE}.items():
        (here / f"{name}.toml").write_text(text)
    with alone(here / "s.safetensors", "is training"), alone(here / "nets", "is training"):
        for command, name, out in (("supernet", "s", "s.safetensors"), ("finetune", "f", "nets")):
            said = refused(capsys, "train", command, f"{name}.toml")
            assert f"process {os.getpid()} is training {out}; " in said and "another out (--set out=…)" in said
    assert not [path for path in here.iterdir() if path.name.startswith((".", "s.safetensors", "nets"))]
