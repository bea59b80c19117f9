"""What is said of a card: by NVML, by nvidia-smi where that is missing, and by torch."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from profilers.timing import card_state
from tools.gpu_check.check import Check
from tools.gpu_check.findings import Findings, LeftOut
from tools.gpu_check.parts import card

SMI = """#!/bin/sh
case "$1" in
*mig.mode.current*) echo 'Field "mig.mode.current" is not a valid field to query.'; exit 2 ;;
*) echo "580.01, 96.00, P0, 41" ;;
esac
"""


@pytest.fixture
def found(tmp_path):
    return Findings(tmp_path / "found.json")


@pytest.fixture
def smi(tmp_path, monkeypatch):
    (tmp_path / "nvidia-smi").write_text(SMI)
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")


def test_without_nvml_nvidia_smi_says_what_it_knows(found, smi, monkeypatch):
    monkeypatch.setattr(card_state, "card_sensor", lambda: card_state.NoCard("no pynvml"))
    card._state(found, "idle")
    (grid,) = found.grids
    assert grid.rows == [
        ["driver_version", "580.01"],
        ["vbios_version", "96.00"],
        ["pstate", "P0"],
        ["temperature.gpu", "41"],
    ]
    assert "no pynvml" in found.notes[0]


def test_without_both_the_report_says_so(found, tmp_path, monkeypatch):
    monkeypatch.setattr(card_state, "card_sensor", lambda: card_state.NoCard("no pynvml"))
    monkeypatch.setenv("PATH", str(tmp_path))
    card._state(found, "idle")
    assert found.grids[0].rows == []
    assert found.notes[1].startswith("nvidia-smi: ")


def test_by_nvml(found, monkeypatch):
    sensor = SimpleNamespace(facts=lambda: {"sm_mhz": 1980.0, "ecc": "on"}, missing="")
    monkeypatch.setattr(card_state, "card_sensor", lambda: sensor)
    card._state(found, "just after a load")
    assert found.grids[0].rows == [["sm_mhz", 1980.0], ["ecc", "on"]]


def test_by_torch(found, monkeypatch):
    import torch

    known = SimpleNamespace(
        name="NVIDIA H200", major=9, minor=0, multi_processor_count=132, total_memory=150_754_820_096
    )
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: known)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    card._properties(found)
    values = {figure.name: figure.value for figure in found.figures}
    assert values["card"] == "NVIDIA H200"
    assert (values["compute capability"], values["memory"]) == ("9.0", 150.8)


def test_no_card(found, tmp_path, monkeypatch):
    import torch

    def refuse(*_, **__):
        raise RuntimeError("Found no NVIDIA driver on your system. Please check that you have one.")

    monkeypatch.setattr(torch, "zeros", refuse)
    with pytest.raises(
        LeftOut, match=r"^no NVIDIA card that torch can use here \(torch .*: Found no NVIDIA driver on your system\)$"
    ):
        card.find(Check(tmp_path), found)
