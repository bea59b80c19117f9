"""A look at a data set: what is counted, and the lines for people."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from hwnas.data import facts, get_dataset
from hwnas.data.survey import survey
from profilers.errors import BadInput
from tests import drawings


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return drawings.make(tmp_path_factory.mktemp("drawings") / "mine", classes=3, per_class=10, size=8)


@pytest.fixture
def root(made, tmp_path):
    return shutil.copytree(made, tmp_path / "mine")


def test_a_clean_folder_is_two_counts_and_a_size(root):
    found = survey(f"folder:{root}")
    assert found.splits == {"train": 18, "val": 6, "test": 6} and found.images == 30 and found.balance == 1
    assert found.classes["cross"] == {"train": 6, "val": 2, "test": 2}
    assert found.lines() == [
        f"folder:{root}: 30 images of 3 classes, splits in folders: train 18, val 6, test 6",
        "classes: circle, cross, star; each has as many train images",
        "pixels: smallest 8 x 8, median 8 x 8, largest 8 x 8; 30 colour",
    ]


def test_what_is_wrong_is_counted_and_said(root):
    train, test = root / "train", root / "test"
    shutil.copy(train / "circle" / "circle_000.png", test / "circle" / "again.png")
    shutil.copy(train / "circle" / "circle_000.png", train / "circle" / "twice.png")
    (train / "cross" / "cross_000.png").write_bytes(b"")
    (train / "cross" / "cross_001.png").unlink()
    (train / "star" / "Thumbs.db").write_bytes(b"x")
    Image.fromarray(np.full((40, 50), 9, np.uint8)).save(train / "star" / "grey.png")
    shutil.rmtree(root / "val" / "star")
    found = survey(f"folder:{root}")
    assert found.damaged == {"train/cross/cross_000.png": "an empty file"}
    assert found.channels == {"colour": 28, "grey": 1} and found.sizes["largest"] == (50, 40)
    assert found.twice == {"train": 1, "val": 0, "test": 0} and found.balance == 7 / 4
    assert [(s.first, s.second, s.images) for s in found.shared] == [("train", "test", 1)]
    assert found.lines()[1:] == [
        "classes: circle, cross, star; the largest has 1.75 times the train images of the smallest (circle 7, cross 4)",
        "pixels: smallest 8 x 8, median 8 x 8, largest 50 x 40; 28 colour, 1 grey",
        "passed over: 1 item left by file managers and editors",
        "1 damaged image: train/cross/cross_000.png (an empty file)",
        "images that are there twice in one split: train 1",
        "warning: the same images are in two splits: 1 of test in train (test/circle/again.png is "
        "train/circle/circle_000.png): accuracy will look better than it is",
        "no val images of 1 class: star",
    ]
    plain = json.loads(json.dumps(found.to_json()))
    assert plain["splits"] == {"train": 18, "val": 4, "test": 7} and plain["balance"] == 1.75
    assert plain["shared"][0]["example"] == ["train/circle/circle_000.png", "test/circle/again.png"]


def test_opening_warns_of_images_in_two_splits(root, capsys):
    shutil.copy(root / "train" / "star" / "star_001.png", root / "val" / "star" / "x.png")
    get_dataset(f"folder:{root}")
    warning = (
        "hwnas: warning: the same images are in two splits: 1 of val in train (val/star/x.png is train/star/star_001"
    )
    assert capsys.readouterr().err.startswith(warning)


def test_each_file_is_read_once(root, monkeypatch):
    looked_at = []
    look = facts._look
    monkeypatch.setattr(facts, "_look", lambda white, path: looked_at.append(path.name) or look(white, path))
    first = survey(f"folder:{root}")
    assert len(looked_at) == 30
    assert get_dataset(f"folder:{root}").size("train") == 18 and survey(f"folder:{root}") == first
    assert len(looked_at) == 30
    shutil.copy(root / "val" / "star" / "star_006.png", root / "train" / "star" / "new.png")
    assert survey(f"folder:{root}").images == 31 and looked_at[30:] == ["new.png"]


def test_of_other_data_sets_the_counts_are_given():
    found = survey("digits")
    assert found.layout == "published" and found.splits == {"train": 997, "val": 400, "test": 400}
    assert found.lines()[0] == "digits: 1,797 images of 10 classes, as published: train 997, val 400, test 400"
    assert found.lines()[1].startswith("classes: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9; the largest has 1.05 times")


def test_a_data_set_that_was_moved_names_the_variable(root, monkeypatch, tmp_path):
    elsewhere = root.rename(tmp_path / "elsewhere")
    with pytest.raises(BadInput, match=r"mine does not exist; .*; try: HWNAS_ROOT_FOLDER=DIR, where it is now"):
        survey(f"folder:{root}")
    monkeypatch.setenv("HWNAS_ROOT_FOLDER", str(elsewhere))
    assert survey(f"folder:{root}").images == 30
    monkeypatch.setenv("HWNAS_ROOT_FOLDER", str(tmp_path / "no"))
    with pytest.raises(BadInput, match=r"no does not exist; .*; try: another folder in HWNAS_ROOT_FOLDER, which names"):
        survey(f"folder:{root}")
