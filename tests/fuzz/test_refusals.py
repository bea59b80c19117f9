"""What the campaign found, each by the line that it gets now."""

from __future__ import annotations

import json

import pytest
import torch

import hwnas
from hwnas.accuracy.table import AccuracyTable
from hwnas.nets.checkpoint import _Of, _part, _Prepared
from hwnas.nets.tensorfile import read_tensors, write_tensors
from hwnas.ofa.predictor import OfaPredictor
from profilers.errors import BadInput, FingerprintMismatch
from profilers.published import doubt, is_published
from tools.campaign.kinds import records
from tools.campaign.kinds.predictor import _made

PREPARED = {"dataset": "digits", "mean": [0.5], "std": [0.25], "training": {}}
SPACE = {"space": "tiny", "signature": "x", "classes": 10, "resolutions": [32]}


def test_a_predictor_of_another_content_is_named(tmp_path, capsys):
    path, space = tmp_path / "acc_predictor.pth", hwnas.get_space("mbv3", [224])
    path.write_bytes(_made())
    OfaPredictor(path, space)
    assert f"hwnas: {path}: not the published file, by its hash" in capsys.readouterr().err
    assert not is_published(path.read_bytes()) and doubt([]) == ""


def test_a_predictor_without_finite_numbers_is_refused(tmp_path):
    state = torch.load(_saved(tmp_path), weights_only=True)
    state["4.bias"][3] = float("nan")
    torch.save(state, tmp_path / "p.pth")
    with pytest.raises(BadInput, match="holds numbers that are not finite"):
        OfaPredictor(tmp_path / "p.pth", hwnas.get_space("mbv3", [224]))


def _saved(folder):
    (folder / "made.pth").write_bytes(_made())
    return folder / "made.pth"


@pytest.mark.parametrize("change", [{"resolutions": [10**30]}, {"resolutions": ["x"]}, {"classes": 1.5}, {"space": 3}])
def test_headers_that_say_what_no_space_has_are_refused(tmp_path, change):
    with pytest.raises(BadInput, match=rf"the header of .*: {next(iter(change))}"):
        _part(_Of, SPACE | change, tmp_path)


@pytest.mark.parametrize("change", [{"mean": []}, {"std": [0]}, {"mean": [10**400]}, {"training": []}])
def test_headers_that_say_what_no_images_have_are_refused(tmp_path, change):
    with pytest.raises(BadInput, match=r"the header of "):
        _part(_Prepared, PREPARED | change, tmp_path)


def test_a_header_that_was_changed_is_noticed(tmp_path):
    path = tmp_path / "w.safetensors"
    write_tensors(path, {"a": torch.zeros(2)}, {"mean": 0.5})
    assert read_tensors(path)[1] == {"mean": 0.5}
    path.write_bytes(path.read_bytes().replace(b"0.5", b"0.7"))
    with pytest.raises(BadInput, match="its checksum differs"):
        read_tensors(path)


@pytest.mark.parametrize(
    ("row", "line"), [("x" * 200_000 + ",70", "field larger"), ("{arch},71\n{arch},72", "stands there twice")]
)
def test_tables_of_accuracies_that_cannot_be_true(tmp_path, row, line):
    arch = '"' + json.dumps(hwnas.get_space("tiny").extremes()[0].to_json()).replace('"', '""') + '"'
    (tmp_path / "a.csv").write_text(f"arch,top1\n{row.replace('{arch}', arch)}\n")
    with pytest.raises(BadInput, match=line):
        AccuracyTable(tmp_path / "a.csv", hwnas.get_space("tiny"))


@pytest.mark.parametrize(
    ("name", "key", "read"),
    [(records.ENGINE, "gpu", records.engine_manifest), (records.PACKAGE, "device", records.package_manifest)],
)
def test_a_long_name_of_another_machine_makes_no_long_line(tmp_path, monkeypatch, name, key, read):
    monkeypatch.chdir(tmp_path)
    (small,) = (found for found in records.FILES if found.read is read)
    (tmp_path / name).write_bytes(b"engine")
    (tmp_path / small.name).write_text(json.dumps(small.content))
    assert read()
    (tmp_path / small.name).write_text(json.dumps(small.content | {key: "a card " * 60}))
    with pytest.raises(FingerprintMismatch, match=f"belongs elsewhere.*{key}: a ") as caught:
        read()
    assert len(str(caught.value)) < 300
