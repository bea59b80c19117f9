"""Damaged images of the user's own folder, and batches that are made ahead."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch
from PIL import Image

from hwnas.data import BatchRequest, check, get_dataset
from profilers.errors import BadInput, FileProblem
from tests.hwnas.image_files import labels_of


def damaged(root, name: str, data: bytes) -> None:
    (root / name).write_bytes(data)


# --- damaged files -------------------------------------------------------------------------------------------------


def test_damaged_files_are_named_and_refused_or_skipped(root, capsys):
    whole = (root / "train/ant/00.png").read_bytes()
    damaged(root, "train/ant/00.png", whole[: len(whole) // 2])
    damaged(root, "train/bee/01.png", b"")
    damaged(root, "test/cat/01.png", b"<svg/>")
    damaged(root, "train/cat/notes.txt", b"to do")
    with pytest.raises(BadInput) as caught:
        get_dataset(f"folder:{root}")
    message = str(caught.value)
    assert message.startswith(f"4 damaged images in {root}: train/cat/notes.txt (no image: ")
    for text in ("train/ant/00.png (", "train/bee/01.png (an empty file)", "test/cat/01.png (no image)"):
        assert text in message
    assert message.endswith(f'try: remove them, or dataset = "folder:{root}?damaged=skip"')
    capsys.readouterr()
    dataset = get_dataset(f"folder:{root}?damaged=skip")
    assert sum(dataset.size(s) for s in dataset.splits) == 33 and dataset.size("test") == 5
    assert dataset.name == f"folder:{root}?damaged=skip" and len(dataset.left_out) == 4
    line = capsys.readouterr().err
    assert line.startswith("hwnas: 4 damaged images") and line.endswith("left out, 33 are used\n")
    assert labels_of(dataset.images("test", 8), dataset.mean, dataset.std) == [0, 0, 1, 1, 2]


def test_skipping_leaves_the_other_images_in_their_splits(root):
    before = get_dataset(f"folder:{root}")._files
    damaged(root, before["val"][0], b"")
    after = get_dataset(f"folder:{root}?damaged=skip")._files
    assert after == before | {"val": before["val"][1:]}


def test_a_class_of_damaged_images_only_is_refused(root):
    for i in range(2):
        damaged(root, f"test/bee/{i:02}.png", b"")
    with pytest.raises(BadInput, match="every test image of class bee is damaged"):
        get_dataset(f"folder:{root}?damaged=skip")


def test_images_are_checked_once_and_again_when_one_changes(root, monkeypatch):
    looked = []
    original = check._look
    monkeypatch.setattr(check, "_look", lambda white, path: looked.append(path) or original(white, path))
    for _ in range(2):
        get_dataset(f"folder:{root}")
    assert len(looked) == 36
    damaged(root, "train/ant/00.png", b"")
    with pytest.raises(BadInput, match="an empty file"):
        get_dataset(f"folder:{root}")
    assert len(looked) == 72


def test_a_cache_that_cannot_be_written_or_read_only_costs_time(root, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HWNAS_CACHE", str(tmp_path / "file"))
    assert get_dataset(f"folder:{root}").size("test") == 6
    monkeypatch.setenv("HWNAS_CACHE", str(tmp_path / "cache"))
    get_dataset(f"folder:{root}")
    (kept,) = (tmp_path / "cache" / "checked").iterdir()
    kept.write_text('{"elsewhere.png": "nonsense"}')
    assert get_dataset(f"folder:{root}?damaged=skip").left_out == {}


def test_in_a_large_data_set_a_damaged_image_is_an_error_when_it_is_met(root, monkeypatch):
    monkeypatch.setattr(check, "CHECKED_AHEAD", 10)
    damaged(root, "test/bee/01.png", b"\x89PNG\r\n\x1a\n")
    dataset = get_dataset(f"folder:{root}")
    assert len(dataset.images("val", 8)) == 6
    with pytest.raises(BadInput, match=r"damaged image .*bee/01\.png: .*damaged=skip"):
        dataset.images("test", 8)
    assert get_dataset(f"folder:{root}?damaged=skip").size("test") == 5  # these are always checked ahead


@pytest.mark.filterwarnings("ignore:Image size")  # pytest resets filters
def test_an_image_that_pillow_takes_for_a_bomb_is_damaged(root, monkeypatch):
    for limit, text in ((1199, "40 x 30 pixels, more than Pillow's limit of 1199"), (599, "exceeds limit of 1198 pix")):
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        with pytest.raises(BadInput, match=f"36 damaged images .*{text}"):
            get_dataset(f"folder:{root}")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_an_error_of_the_system(root):
    (root / "train/ant/00.png").chmod(0)
    with pytest.raises(FileProblem, match=r"cannot read .*00\.png: Permission denied"):
        get_dataset(f"folder:{root}?damaged=skip")


# --- batches -------------------------------------------------------------------------------------------------------


def test_batches_made_ahead_are_those_made_at_once(root):
    dataset = get_dataset(f"folder:{root}")
    order = np.random.default_rng(3).permutation(24)

    def plans(rng):
        return (BatchRequest(order[i : i + 5], 8 + i, rng) for i in range(0, 24, 5))

    rng = np.random.default_rng(4)
    expected = [dataset.batch("train", *plan) for plan in plans(rng)]
    found = list(dataset.prefetch("train", plans(np.random.default_rng(4)), depth=3))
    assert len(found) == 5
    for (x, y), (images, labels) in zip(expected, found, strict=True):
        assert torch.equal(x, images) and torch.equal(y, labels)
    assert torch.equal(torch.cat([x for x, _ in dataset.batches("train", 8, 7)]), dataset.images("train", 8))
    assert sum(len(y) for _, y in dataset.batches("train", 8, 7, count=10)) == 10


def test_batches_are_made_while_the_caller_works_but_no_further_than_asked(root):
    dataset, taken = get_dataset(f"folder:{root}"), []

    def plans():
        for i in range(10):
            taken.append(i)
            yield BatchRequest(np.array([i]), 8)

    batches = dataset.prefetch("train", plans(), depth=2)
    assert taken == []
    next(batches)
    assert taken == [0, 1, 2]
    batches.close()  # an interrupted training leaves no thread behind
    assert taken == [0, 1, 2]


def test_an_error_in_the_background_arrives_where_the_batch_is_taken(root, monkeypatch):
    monkeypatch.setattr(check, "CHECKED_AHEAD", 10)
    dataset = get_dataset(f"folder:{root}")
    damaged(root, dataset._files["test"][3], b"")
    batches = dataset.batches("test", 8, 1)
    assert [int(next(batches)[1]) for _ in range(3)] == [0, 0, 1]
    with pytest.raises(BadInput, match="an empty file"):
        next(batches)


@pytest.mark.parametrize("value", ["0", "many", "1000"])
def test_a_senseless_number_of_workers_is_refused(monkeypatch, value):
    from hwnas.data.threads import workers

    monkeypatch.setenv("HWNAS_WORKERS", value)
    with pytest.raises(BadInput, match=f"HWNAS_WORKERS={value}; allowed: 1 to 256"):
        workers()
