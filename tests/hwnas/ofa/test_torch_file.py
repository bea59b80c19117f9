"""Checkpoints as trainers write them are read without running anything; what asks for code is refused in one line."""

from __future__ import annotations

import argparse
import builtins
import datetime
import functools
import os
import pickle
import random
import subprocess
import sys
import types
from collections import defaultdict
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch

from hwnas.ofa.torch_file import read_torch_file
from profilers.errors import BadInput

FORMATS = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "old"])
WEIGHT = torch.arange(6.0).reshape(2, 3)


class Settings(dict):
    """A configuration as other packages have it: a dictionary with attributes."""

    calls: ClassVar[list[str]] = []

    def __init__(self, **values):
        self.calls.append("made")
        super().__init__(**values)
        self.__dict__ = self

    def __setstate__(self, state):
        self.calls.append("restored")
        self.__dict__.update(state)


def trained():
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    return optimizer.state_dict()


BESIDE = {
    "epoch": 119,
    "best_acc": np.float64(71.25),
    "counts": [np.int64(3), np.bool_(True), np.float32(0.5)],
    "history": np.arange(5.0),
    "optimizer": trained(),
    "args": argparse.Namespace(lr=0.1, out=Path("/nowhere"), at=datetime.datetime(2020, 1, 1)),
    "random": (torch.get_rng_state(), np.random.get_state(), random.getstate()),
    "groups": defaultdict(list, {1: [2]}),
    "more": types.SimpleNamespace(a={1, 2}, b=b"bytes", c=2**70, d=slice(1, 2)),
}


@FORMATS
def test_what_trainers_put_beside_the_weights_is_passed_over(tmp_path, zipped):
    torch.save({**BESIDE, "state_dict": {"w": WEIGHT}}, tmp_path / "c", _use_new_zipfile_serialization=zipped)
    with pytest.raises(pickle.UnpicklingError):
        torch.load(tmp_path / "c", weights_only=True)  # what there is to read
    allowed = set(torch.serialization.get_safe_globals())
    found = read_torch_file(tmp_path / "c")
    assert set(found) == {*BESIDE, "state_dict"}
    assert torch.equal(found["state_dict"]["w"], WEIGHT) and found["epoch"] == 119
    assert set(torch.serialization.get_safe_globals()) == allowed  # nothing stays allowed


@FORMATS
def test_objects_of_other_packages_are_not_made(tmp_path, monkeypatch, zipped):
    module = types.ModuleType("someones_settings")
    module.Settings = Settings
    monkeypatch.setitem(sys.modules, "someones_settings", module)
    monkeypatch.setattr(Settings, "__module__", "someones_settings")
    torch.save({"config": Settings(a=1), "w": WEIGHT}, tmp_path / "c", _use_new_zipfile_serialization=zipped)
    Settings.calls.clear()
    found = read_torch_file(tmp_path / "c")
    assert torch.equal(found["w"], WEIGHT) and not isinstance(found["config"], Settings) and not Settings.calls


class Call:
    """Pickles as a call of a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def hostile(mark: str):
    """Name: (object, what the refusal names)."""
    write, shell = f"open({mark!r}, 'w')", f"touch {mark}"
    imported = Call(builtins.__import__, "os")
    return {
        "system": (Call(os.system, shell), "posix.system"),
        "eval": (Call(eval, write), "builtins.eval"),
        "exec": (Call(exec, write), "builtins.exec"),
        "getattr": (Call(getattr, Settings, "calls"), "builtins.getattr"),
        "chain": (Call(getattr, imported, "system"), "builtins.__import__"),
        "popen": (Call(subprocess.Popen, ["touch", mark]), "a call of commands.Popen"),  # Python 2's name of it
        "partial": (Call(functools.partial(os.system, shell)), "functools.partial"),
        "load": (Call(torch.load, mark), "torch.serialization.load"),
        "numpy": (Call(np.load, mark), "numpy.load"),
        "storage": (Call(torch.storage._load_from_bytes, b""), "torch.storage._load_from_bytes"),
        "own": (Call(Settings), f"a call of {Settings.__module__}.Settings"),
    }


@FORMATS
@pytest.mark.parametrize("name", sorted(hostile("")))
def test_a_call_is_refused_and_not_done(tmp_path, monkeypatch, name, zipped):
    monkeypatch.setattr(Settings, "calls", [])
    value, said = hostile(str(tmp_path / "ran"))[name]
    content = {"state_dict": {"w": WEIGHT}, "args": value}
    torch.save(content, tmp_path / "c", _use_new_zipfile_serialization=zipped)
    with pytest.raises(BadInput) as caught:
        read_torch_file(tmp_path / "c")
    line = str(caught.value)
    assert f"asks for {said}" in line and "torch.save({'state_dict'" in line and "\n" not in line
    assert not (tmp_path / "ran").exists() and not Settings.calls


def pickled(tmp_path, instructions: bytes):
    """A torch file whose instructions are replaced."""
    import zipfile

    torch.save({"w": WEIGHT}, tmp_path / "plain")
    with zipfile.ZipFile(tmp_path / "plain") as old, zipfile.ZipFile(tmp_path / "c", "w") as new:
        for name in old.namelist():
            new.writestr(name, instructions if name.endswith("data.pkl") else old.read(name))
    return tmp_path / "c"


@pytest.mark.parametrize(
    ("instructions", "said"),
    [
        (b"\x80\x02cposix\nsystem\nX\x02\x00\x00\x00ls\x85R.", "asks for posix.system"),
        (b"\x80\x02c__builtin__\neval\nX\x01\x00\x00\x001\x85R.", "asks for builtins.eval"),
        (
            b"\x80\x02c__builtin__\ngetattr\nc__builtin__\n__import__\nX\x02\x00\x00\x00os\x85RX\x06\x00\x00\x00system"
            b"\x86RX\x02\x00\x00\x00ls\x85R.",
            "asks for builtins.__import__",
        ),
        (b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x02ls\x85R.", "plain tensors: pickle protocol 4"),
        (b"\x80\x02(X\x02\x00\x00\x00lsios\nsystem\n.", "not a torch file"),  # INST
        (b"\x80\x02cos x\nsystem\n.", "asks for os.x system"),
        (b"\x80\x02ccollections\nOrderedDict\n}X\x03\x00\x00\x00getcos\nsystem\nsb.", "asks for os.system"),
        (b"\x80\x02\x82\x01.", "not a torch file"),  # the registry of extensions
        (b"\x80\x02Pfile\n.", "not a torch file"),  # a persistent id
        (b"\x80\x02", "not a torch file"),
    ],
)  # fmt: skip
def test_instructions_made_by_hand_are_refused(tmp_path, instructions, said):
    with pytest.raises(BadInput, match=said) as caught:
        read_torch_file(pickled(tmp_path, instructions))
    assert "\n" not in str(caught.value)


def test_a_damaged_file_is_refused(tmp_path):
    torch.save({"w": WEIGHT}, tmp_path / "c")
    for data in ((tmp_path / "c").read_bytes()[:500], b"PK nothing", b"\x80\x02 nothing"):
        (tmp_path / "cut").write_bytes(data)
        with pytest.raises(BadInput, match="not a torch file"):
            read_torch_file(tmp_path / "cut")
    np.savez(tmp_path / "c.npz", w=WEIGHT.numpy())
    with pytest.raises(BadInput, match=r"plain tensors: a zip archive without data\.pkl"):
        read_torch_file(tmp_path / "c.npz")
