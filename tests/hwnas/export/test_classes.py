"""Accuracy by class: what is counted, kept and read again, and how the datasheet's page shows it."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from hwnas.cli.train import _top1
from hwnas.export import datasheet
from hwnas.export.classes import WHOLE, Classes, count_classes, rows, sentences
from profilers.errors import BadInput
from profilers.proportions import wilson
from tests.hwnas.export.test_datasheet import DATA, GOOD

LABELS, ANSWERS = np.array([0, 0, 0, 1, 1, 3]), np.array([0, 1, 1, 1, 0, 3])


def sheet(found: Classes, labels: list[str]) -> dict:
    made = copy.deepcopy(GOOD)
    made["accuracy"]["classes"], made["preprocessing"]["labels"] = found.to_json(), labels
    return made


def test_each_image_is_counted_once():
    found = count_classes(ANSWERS, LABELS, 4)
    assert (found.images, found.right) == ([3, 2, 0, 1], [1, 1, 0, 1])
    assert found.table == [[1, 2, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1]]
    assert [(c.true, c.predicted, c.images) for c in found.confusions] == [(0, 1, 2), (1, 0, 1)]


def test_of_many_classes_only_the_most_frequent_confusions_are_kept():
    labels = np.arange(1000)
    found = count_classes((labels + 1) % 1000, labels, 1000)
    assert found.table == [] and len(found.confusions) == 10 and len(found.images) == 1000
    assert len(rows(sheet(found, []))) == WHOLE


def test_the_page_lists_the_worst_first_and_escapes_names(tmp_path):
    (tmp_path / "model.onnx").write_bytes(DATA)
    content = sheet(count_classes(ANSWERS, LABELS, 4), ["<b>|star", "cross", "none", "x" * 500])
    datasheet.write(tmp_path, content | {"files": datasheet.file_facts(tmp_path, ["model.onnx"])})
    found, page = datasheet.read(tmp_path), (tmp_path / "datasheet.md").read_text()
    assert found["accuracy"] == content["accuracy"]
    low, high = wilson(100 / 3, 3)
    first = next(line for line in page.splitlines() if " 1 of 3 " in line)
    assert first == rf"| \<b\>\|star | 1 of 3 | 33.3 % ({low:.1f} to {high:.1f}) | cross 2 |"
    assert page.index("| 1 of 3 |") < page.index("| 1 of 2 |") < page.index("| 1 of 1 |")
    assert "2 of 3 '\\<b\\>\\|star' taken for 'cross'" in page
    assert "1 of 4 classes have no images here" in page and "x" * 41 not in page.split("## Accuracy by class")[1]


def test_a_datasheet_from_before_has_no_such_section():
    assert rows(GOOD) == sentences(GOOD) == [] and "by class" not in datasheet.markdown(GOOD)


@pytest.mark.parametrize("change", [{"right": [9, 1, 0, 1]}, {"right": [1]}, {"table": [[1]]}, {"images": [3, 2, 0]},
                                    {"confusions": [{"true": 7, "predicted": 0, "images": 1}]}])  # fmt: skip
def test_counts_that_contradict_each_other_are_refused(change, tmp_path):
    content = sheet(count_classes(ANSWERS, LABELS, 4), list("abcd"))
    content["accuracy"]["classes"] |= change
    with pytest.raises(BadInput, match="contradict each other"):
        datasheet.check({"kind": "hwnas-datasheet", "schema": 6, "checksum": "0" * 64, **content}, tmp_path)


def test_a_fine_tuned_networks_accuracy_is_printed_with_its_interval():
    row = {"val_top1": 90.0, "val_top1_interval": [80.04, 96.0], "test_top1": None, "val_top1_before": 10.0}
    assert [_top1(row, k) for k in ("val_top1", "test_top1", "val_top1_before")] == [
        "90.00 (80.0 to 96.0)",
        "-",
        "10.00",
    ]
