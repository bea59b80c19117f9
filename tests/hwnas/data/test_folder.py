"""The user's own folder of images: splits, layouts, classes."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from hwnas.data import get_dataset
from profilers.errors import BadInput
from tests.hwnas.image_files import labels_of, write_folder, write_picture

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


def images_in_split(root):
    write_picture(root / "train" / "a.png", 0)


def only_test(root):
    shutil.rmtree(root / "train")


def a_folder_too_deep(root):
    shutil.rmtree(root / "test")
    (root / "train").rename(root / "mine")


def other_splits(root):
    (root / "train").rename(root / "learn")


def nothing(root):
    for split in ("train", "test"):
        shutil.rmtree(root / split)
    (root / "docs").mkdir()


def one_class(root):
    for name in ("bee", "cat"):
        shutil.rmtree(root / "train" / name)


def empty_class(root):
    shutil.rmtree(root / "train" / "bee")
    (root / "train" / "bee" / "deeper").mkdir(parents=True)


def class_without_images(root):
    empty_class(root)
    (root / "train" / "bee" / "notes.txt").write_text("none yet")


def extra_in_test(root):
    write_picture(root / "test" / "dog" / "a.png", 0)


def link_outside(root):
    (root / "train" / "cat" / "z.png").symlink_to("/etc/passwd")


def link_to_folder(root):
    (root / "train" / "cat" / "more").symlink_to(root / "train" / "bee")


def dangling_link(root):
    (root / "train" / "cat" / "z.png").symlink_to(root / "nowhere.png")


LAYOUTS = {
    straight_images: r"images lie straight in .*data \(a\.png\); allowed: DIR/train/CLASS/image files",
    images_in_split: r"images lie straight in .*train \(a\.png\)",
    only_test: r"no folder train in .*data, which has test;",
    a_folder_too_deep: r"one folder with images, mine in .*data, has ant, bee, cat;.*try: folder:.*data/mine$",
    other_splits: r"the folders learn, test in .*data hold the same folders \(ant, bee, cat\), as splits",
    nothing: r"no images in .*data, which has docs; allowed: DIR/train/CLASS/image files, .*; or a list with",
    one_class: r"1 class folder in .*train \(ant\); allowed: 2 or more",
    empty_class: r"class bee in .*train has no images; allowed: image files; try: add some",
    class_without_images: r"class bee in .*train has no images;",
    extra_in_test: r"test has more than train: class dog",
    link_outside: r"z\.png is a link to /etc/passwd; allowed: links to files in .*; try: .*data\?links=follow, or copy",
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
