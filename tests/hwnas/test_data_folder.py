"""The user's own folder of images: layouts, classes, damaged files, kinds of pixels."""

from __future__ import annotations

import io
import os
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from hwnas.data import Plan, ahead, check, get_dataset
from profilers.errors import BadInput, FileProblem
from tests.hwnas.image_files import labels_of, picture, write_folder, write_picture


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HWNAS_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def root(tmp_path):
    return write_folder(tmp_path / "data", {"train": 10, "test": 2})


def damaged(root, name: str, data: bytes) -> None:
    (root / name).write_bytes(data)


# --- splits --------------------------------------------------------------------------------------------------------


def test_a_fifth_of_each_class_is_held_out_and_always_the_same(root):
    dataset = get_dataset(f"folder:{root}")
    assert [dataset.size(s) for s in dataset.splits] == [24, 6, 6]
    assert np.bincount(dataset.labels("val")).tolist() == [2, 2, 2]
    parts = [set(dataset._files[s]) for s in ("train", "val")]
    assert not parts[0] & parts[1] and len(parts[0] | parts[1]) == 30
    assert get_dataset(f"folder:{root}")._files == dataset._files


def test_its_own_validation_images_are_used(root):
    for name in ("val", "valid", "validation"):
        write_folder(root, {name: 3})
        dataset = get_dataset(f"folder:{root}")
        assert dataset.size("train") == 30 and all(n.startswith(f"{name}/") for n in dataset._files["val"])
        (root / name).rename(root / "kept")
        shutil.rmtree(root / "kept")
    write_folder(root, {"val": 1, "valid": 1})
    with pytest.raises(BadInput, match="both val and valid"):
        get_dataset(f"folder:{root}")


def test_without_test_images_it_says_so(root):
    shutil.rmtree(root / "test")
    dataset = get_dataset(f"folder:{root}")
    assert dataset.splits == ("train", "val") and dataset.last_split == "val"
    with pytest.raises(BadInput, match=r"split 'test' of .*; allowed: train, val; try: add a folder test"):
        dataset.labels("test")


def test_images_show_the_classes_of_their_labels(root):
    dataset = get_dataset(f"folder:{root}")
    for split in dataset.splits:
        images = dataset.images(split, 16)
        assert labels_of(images, dataset.mean, dataset.std) == dataset.labels(split).tolist()


# --- layouts that are refused --------------------------------------------------------------------------------------


def straight_images(root):
    write_picture(root / "a.png", 0)
    shutil.rmtree(root / "train")


def straight_classes(root):
    for name in ("ant", "bee", "cat"):
        shutil.move(root / "train" / name, root / name)
    (root / "train").rmdir()


def images_in_split(root):
    write_picture(root / "train" / "a.png", 0)


def other_names(root):
    (root / "train").rename(root / "Training")


def one_class(root):
    for name in ("bee", "cat"):
        shutil.rmtree(root / "train" / name)


def no_class(root):
    shutil.rmtree(root / "train")
    (root / "train").mkdir()


def empty_class(root):
    shutil.rmtree(root / "train" / "bee")
    (root / "train" / "bee" / "deeper").mkdir(parents=True)


def class_without_images(root):
    empty_class(root)
    (root / "train" / "bee" / "notes.txt").write_text("none yet")


def missing_in_test(root):
    shutil.rmtree(root / "test" / "cat")


def extra_in_test(root):
    write_picture(root / "test" / "dog" / "a.png", 0)


def one_image(root):
    for path in list((root / "train" / "cat").iterdir())[1:]:
        path.unlink()


def link_outside(root):
    (root / "train" / "cat" / "z.png").symlink_to("/etc/passwd")


def link_to_folder(root):
    (root / "train" / "cat" / "more").symlink_to(root / "train" / "bee")


def dangling_link(root):
    (root / "train" / "cat" / "z.png").symlink_to(root / "nowhere.png")


LAYOUTS = {
    straight_images: r"images lie straight in .*data \(a\.png\); allowed: DIR/train/CLASS/image files",
    straight_classes: r"the classes lie straight in .*data \(ant, bee, cat\);.*try: a folder train in",
    images_in_split: r"images lie straight in .*train \(a\.png\)",
    other_names: r"no folder train in .*data, which has Training, test",
    one_class: r"1 class folder in .*train \['ant'\]; allowed: 2 or more",
    no_class: r"0 class folders in .*train",
    empty_class: r"class bee in .*train is empty; allowed: image files \(\.jpg, ",
    class_without_images: r"class bee in .*train is empty but for 1 other file;",
    missing_in_test: r"test lacks class cat; allowed: ant, bee, cat",
    extra_in_test: r"test has more than train: class dog",
    one_image: r"class cat in .*train has one image, so none can be held out",
    link_outside: r"z\.png is a link to /etc/passwd; allowed: links to files in ",
    link_to_folder: r"more is a link to .*train/bee",
    dangling_link: r"z\.png is a link to .*nowhere\.png",
}


@pytest.mark.parametrize("change", LAYOUTS, ids=lambda f: f.__name__)
def test_a_wrong_layout_is_one_clear_line(root, change):
    change(root)
    with pytest.raises(BadInput, match=LAYOUTS[change]) as caught:
        get_dataset(f"folder:{root}")
    assert "\n" not in str(caught.value)


def test_hidden_files_links_inside_and_folders_in_classes_are_fine(root):
    (root / "train" / "cat" / ".DS_Store").write_bytes(b"x")
    (root / "train" / ".ipynb_checkpoints").mkdir()
    (root / "README.txt").write_text("about")
    (root / "train" / "labels.csv").write_text("a,b")
    (root / "train" / "cat" / "copy.png").symlink_to(root / "train" / "cat" / "00.png")
    write_picture(root / "train" / "cat" / "evening" / "a.png", 2)
    dataset = get_dataset(f"folder:{root}")
    assert dataset.size("train") + dataset.size("val") == 32 and dataset.class_names == ("ant", "bee", "cat")


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
    monkeypatch.setattr(check, "_look", lambda path: looked.append(path) or original(path))
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


# --- kinds of pixels -----------------------------------------------------------------------------------------------


def encoded(mode: str, **options) -> bytes:
    stream = io.BytesIO()
    image = picture(5)
    if mode == "I;16":
        image = Image.fromarray(np.full((30, 40), 257 * 66, np.uint16))
    elif mode == "P;transparent":
        image = image.convert("P")
        options |= {"transparency": b"\x00" * 256, "format": "PNG"}
    else:
        image = image.convert(mode)
    image.save(stream, **({"format": "PNG"} | options))
    return stream.getvalue()


KINDS = {
    "grey": encoded("L"), "grey with alpha": encoded("LA"), "alpha": encoded("RGBA"), "palette": encoded("P"),
    "transparent palette": encoded("P;transparent"), "16 bits": encoded("I;16"), "bits": encoded("1", format="BMP"),
    "CMYK": encoded("CMYK", format="JPEG", quality=95), "GIF called PNG": encoded("P", format="GIF"),
    "WebP": encoded("RGB", format="WEBP", lossless=True), "TIFF": encoded("RGB", format="TIFF"),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_image_becomes_rgb(root, kind):
    for path in (root / "test").rglob("*.png"):
        path.write_bytes(KINDS[kind])
    dataset = get_dataset(f"folder:{root}")
    images = dataset.images("test", 8)
    assert images.shape == (6, 3, 8, 8) and images.isfinite().all()
    if kind != "bits":  # black and white only
        assert labels_of(images, dataset.mean, dataset.std) == [5] * 6


def test_floating_point_pixels_are_refused(root):
    Image.fromarray(np.ones((9, 9), np.float32)).save(root / "test/ant/00.png", format="TIFF")
    with pytest.raises(BadInput, match=r"00\.png \(pixels are floating-point numbers\)"):
        get_dataset(f"folder:{root}")


def test_colour_becomes_grey_for_a_network_of_one_channel(root, capsys):
    for path in (root / "test").rglob("*.png"):
        Image.new("RGB", (9, 9), (200, 100, 50)).save(path)
    colour = get_dataset(f"folder:{root}")
    grey = colour.with_channels(1)
    assert f"the colour images of folder:{root} are converted to grey" in capsys.readouterr().err
    assert (colour.in_channels, grey.in_channels, colour.with_channels(3) is colour) == (3, 1, True)
    value = float(grey.images("test", 8).mean() * grey.std[0] + grey.mean[0])
    assert value * 255 == pytest.approx(0.299 * 200 + 0.587 * 100 + 0.114 * 50, abs=1)
    again = get_dataset(grey.name)  # as a checkpoint names it
    assert torch.equal(again.images("val", 8), grey.images("val", 8)) and again.mean == grey.mean
    with pytest.raises(BadInput, match=r"images of 1 channels in .*; allowed: 3"):
        grey.with_channels(3)


# --- batches -------------------------------------------------------------------------------------------------------


def test_batches_made_ahead_are_those_made_at_once(root):
    dataset = get_dataset(f"folder:{root}")
    order = np.random.default_rng(3).permutation(24)

    def plans(rng):
        return (Plan(order[i : i + 5], 8 + i, rng) for i in range(0, 24, 5))

    rng = np.random.default_rng(4)
    expected = [dataset.batch("train", *plan) for plan in plans(rng)]
    found = list(ahead(dataset, "train", plans(np.random.default_rng(4)), depth=3))
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
            yield Plan(np.array([i]), 8)

    batches = ahead(dataset, "train", plans(), depth=2)
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
    from hwnas.data.loader import workers

    monkeypatch.setenv("HWNAS_WORKERS", value)
    with pytest.raises(BadInput, match=f"HWNAS_WORKERS={value}; allowed: 1 to 256"):
        workers()
