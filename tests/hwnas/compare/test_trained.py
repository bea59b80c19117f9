"""compare --weights: networks of a fine-tuning beside each other, with their accuracy on its images."""

from __future__ import annotations

import pytest

import hwnas
from hwnas.compare.measure import Row
from hwnas.compare.trained import judged, known_names, known_row
from hwnas.nets.checkpoint import Provenance
from hwnas.nets.known import make_known, save_known
from profilers.errors import BadInput

FACTS = {"val_top1": 60.0, "val_images": 50, "test_top1": 80.0, "test_images": 100}


@pytest.fixture
def folder(tmp_path):
    provenance = Provenance("folder:x", (0.5,) * 3, (0.2,) * 3, {"facts": FACTS})
    save_known(
        tmp_path / "squeezenet1_1.safetensors", "squeezenet1_1", make_known("squeezenet1_1", 3), 3, 32, provenance
    )
    return tmp_path


def test_a_known_network_has_its_size_classes_and_accuracy(folder):
    assert known_names(folder) == ("squeezenet1_1",)
    row, model = known_row(folder, "squeezenet1_1", 1)
    assert (row.size, row.top1, row.images, row.imagenet_top1) == (32, 80.0, 100, None) and len(model) > 1000
    assert row.top1_low < 80 < row.top1_high and row.params < 1_000_000  # of 3 classes: 1.2 M with 1000


def test_the_last_split_that_was_judged_counts():
    row = Row("a", "this search", 32, 1, 1, top1=1.0)
    assert judged(row, {**FACTS, "test_top1": None}).top1 == 60.0
    assert judged(row, {"test_top1": 70.0}).top1_low is None and judged(row, None) == row


@pytest.mark.slow
def test_a_run_is_compared_with_them(folder, monkeypatch):
    monkeypatch.chdir(folder)
    run = hwnas.search("tiny", lambda arch: 90.0 + arch["r"] / 10, objectives=["top1", "params"], initial=6,
                       iterations=0, out="run")  # fmt: skip
    found = hwnas.compare(run, ids=[run.networks[0].id], weights=folder)
    assert {row.source for row in found.comparison.rows} == {"this search", "torchvision"}
    assert "80.00 (71.1 to 86.7)" in str(found) and "on the images of the fine-tuning" in str(found)


def test_weights_that_are_no_folder_are_one_line(folder):
    with pytest.raises(BadInput, match=r"--weights .*none; allowed: the folder of a fine-tuning"):
        known_names(folder / "none")
