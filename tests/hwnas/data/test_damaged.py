"""Damaged images of the user's own folder."""

from __future__ import annotations

import os

import pytest
from PIL import Image

from hwnas.data import damaged as damaged_images
from hwnas.data import get_dataset
from profilers.errors import BadInput, FileProblem
from tests.hwnas.image_files import labels_of


def damaged(root, name: str, data: bytes) -> None:
    (root / name).write_bytes(data)


def test_damaged_files_are_named_and_refused_or_skipped(root, capsys):
    whole = (root / "train/ant/00.png").read_bytes()
    damaged(root, "train/ant/00.png", whole[: len(whole) // 2])
    damaged(root, "train/bee/01.png", b"")
    damaged(root, "test/cat/01.png", b"<svg/>")
    damaged(root, "train/cat/notes.txt", b"to do")
    with pytest.raises(BadInput) as caught:
        get_dataset(f"folder:{root}")
    message = str(caught.value)
    assert message.startswith(f"3 damaged images in {root}: train/ant/00.png (")
    for text in ("train/ant/00.png (", "train/bee/01.png (an empty file)", "test/cat/01.png (no image)"):
        assert text in message
    assert message.endswith(f'try: remove them, or dataset = "folder:{root}?damaged=skip"')
    capsys.readouterr()
    dataset = get_dataset(f"folder:{root}?damaged=skip")
    assert sum(dataset.size(s) for s in dataset.splits) == 33 and dataset.size("test") == 5
    assert dataset.name == f"folder:{root}?damaged=skip" and len(dataset.left_out) == 3
    passed, line, *_ = capsys.readouterr().err.splitlines()
    assert passed == f"hwnas: passed over in {root}: 1 item whose content is no image (train/cat/notes.txt)"
    assert line.startswith("hwnas: 3 damaged images") and line.endswith("left out, 33 are used")
    assert labels_of(dataset.images("test", 8), dataset.mean, dataset.std) == [0, 0, 1, 1, 2]


def test_skipping_leaves_the_other_images_in_their_splits(root):
    before = get_dataset(f"folder:{root}")._files
    damaged(root, before["val"][0], b"")
    after = get_dataset(f"folder:{root}?damaged=skip")._files
    assert after == before | {"val": before["val"][1:]}


def test_a_class_of_damaged_images_only_is_said_and_in_training_refused(root, capsys):
    for i in range(2):
        damaged(root, f"test/bee/{i:02}.png", b"")
    assert get_dataset(f"folder:{root}?damaged=skip").size("test") == 4
    assert "hwnas: no test images of 1 class: bee\n" in capsys.readouterr().err
    for i in range(10):
        damaged(root, f"train/bee/{i:02}.png", b"")
    with pytest.raises(BadInput, match="every train image of class bee is damaged"):
        get_dataset(f"folder:{root}?damaged=skip")


def test_images_are_checked_once_and_again_when_one_changes(root):
    path = root / "train/ant/00.png"
    get_dataset(f"folder:{root}")
    before = path.stat()
    damaged(root, "train/ant/00.png", b"x" * before.st_size)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # nothing shows that it has changed
    assert get_dataset(f"folder:{root}").left_out == {}
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    with pytest.raises(BadInput, match="1 damaged image"):
        get_dataset(f"folder:{root}")


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
    monkeypatch.setattr(damaged_images, "CHECKED_AHEAD", 10)
    damaged(root, "test/bee/01.png", b"\x89PNG\r\n\x1a\n")
    dataset = get_dataset(f"folder:{root}")
    assert len(dataset.images("val", 8)) == 6
    with pytest.raises(BadInput, match=r"damaged image .*bee/01\.png: .*damaged=skip"):
        dataset.images("test", 8)
    assert get_dataset(f"folder:{root}?damaged=skip").size("test") == 5  # these are always checked ahead


@pytest.mark.filterwarnings("ignore:Image size")  # pytest resets filters
def test_an_image_that_pillow_takes_for_a_bomb_is_damaged(root, monkeypatch):
    for limit, text in ((1199, "40 x 30 pixels, more than the limit of 1199"), (599, "exceeds limit of 1198 pix")):
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        with pytest.raises(BadInput, match=f"36 damaged images .*{text}"):
            get_dataset(f"folder:{root}")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_an_error_of_the_system(root):
    (root / "train/ant/00.png").chmod(0)
    with pytest.raises(FileProblem, match=r"cannot read .*00\.png: Permission denied"):
        get_dataset(f"folder:{root}?damaged=skip")
