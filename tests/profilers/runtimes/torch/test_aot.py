"""Packages of AOTInductor: what is refused. The contract suite compiles one of `torch`, and runs it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from profilers.errors import BadInput, EngineUnavailable
from profilers.runtimes.torch import aot


def test_a_file_that_is_no_package_is_one_line(tmp_path):
    (tmp_path / "model.pt2").write_bytes(b"nonsense")
    with pytest.raises(BadInput, match=r"torch cannot load model.pt2: .*--rebuild") as caught:
        aot.open_package(tmp_path / "model.pt2")
    assert "\n" not in str(caught.value)


def test_without_a_compiler_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(aot.shutil, "which", lambda name: None)
    with pytest.raises(EngineUnavailable, match=r"C\+\+ compiler.*apt-get install g\+\+"):
        aot.write_package(nn.ReLU(), (torch.zeros(1),), tmp_path / "model.pt2")


class Branching(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


def test_a_module_that_cannot_be_exported_is_one_line(tmp_path):
    with pytest.raises(BadInput, match=r"cannot compile the module ahead of time: .*torch\.export takes") as caught:
        aot.write_package(Branching(), (torch.ones(1),), tmp_path / "model.pt2")
    assert "\n" not in str(caught.value)
