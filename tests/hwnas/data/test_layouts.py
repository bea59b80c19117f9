"""The user's own images without splits in folders: classes straight in the folder, lists, and splits made of them."""

from __future__ import annotations

import shutil
import unicodedata
from collections import Counter

import numpy as np
import pytest

from hwnas.data import get_dataset
from hwnas.data.layout import find_layout
from hwnas.data.lists import read_lists
from hwnas.data.partition import joined, partition
from hwnas.data.reference import parse_reference
from profilers.errors import BadInput
from tests import drawings
from tests.hwnas.image_files import write_folder, write_picture

SIZE = (4, 4)


def unlike(path, number: int) -> None:
    """An image whose content no other has."""
    write_picture(path, number % 20, (4 + number // 20, 4))


@pytest.fixture
def flat(tmp_path):
    """Two classes of 20 images in a folder each, four of every group, two of them alike."""
    for label, name in enumerate(("ant", "bee")):
        for i in range(20):
            unlike(tmp_path / "flat" / name / f"case{label}{i // 4}_{i}.png", 20 * label + i)
    return tmp_path / "flat"


def splits_of(root, options: str = "") -> dict[str, str]:
    layout = find_layout(parse_reference(f"folder:{root}{options}"))
    return {file: split for split, listing in layout.listings.items() for file in listing.files}


# --- splits that are made here -------------------------------------------------------------------------------------


def test_classes_without_splits_are_parted_in_proportion_and_it_is_said(flat, capsys):
    dataset = get_dataset(f"folder:{flat}")
    assert [np.bincount(dataset.labels(s)).tolist() for s in dataset.splits] == [[12, 12], [4, 4], [4, 4]]
    line = f"hwnas: {flat} has no splits: made here by the images' content: 24 train, 8 val, 8 test; seed 2020\n"
    assert capsys.readouterr().err == line


def test_the_parts_depend_on_content_alone(flat, tmp_path):
    before = splits_of(flat)
    moved = tmp_path / "moved"
    for name, split in before.items():
        path = moved / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(flat / name, path.with_name(f"{split}{path.stem[::-1]}.png"))  # in another order
    assert Counter(splits_of(moved).values()) == Counter(before.values())
    assert all(name.split("/")[1].startswith(split) for name, split in splits_of(moved).items())


def test_images_alike_are_never_in_two_splits(flat):
    for name in ("ant", "bee"):
        for path in list((flat / name).iterdir()):
            shutil.copy(path, path.with_name(f"copy of {path.name}"))
    found = splits_of(flat)
    assert len(found) == 80 and all(found[n] == found[n.replace("/", "/copy of ")] for n in found if "copy" not in n)


def test_images_of_a_group_are_never_in_two_splits(flat, capsys):
    reference = f"folder:{flat}?group=case{{group}}_*"
    found = splits_of(flat, "?group=case{group}_*")
    groups = {(name.split("/")[1].split("_")[0], split) for name, split in found.items()}
    assert len(groups) == 10 and Counter(found.values()) == {"train": 24, "val": 8, "test": 8}
    assert get_dataset(reference).name == reference
    assert "24 train, 8 val, 8 test; 10 groups kept together, seed 2020" in capsys.readouterr().err
    with pytest.raises(BadInput, match=r"40 names do not fit group=x\{group\} \(ant/case00_0\.png, .*40 in all\)"):
        splits_of(flat, "?group=x{group}")
    for pattern in ("{group}{group}", "*a*b*c*{group}"):
        with pytest.raises(BadInput, match=r"a pattern with one \{group\} and at most 3 \*"):
            splits_of(flat, f"?group={pattern}")
    with pytest.raises(BadInput, match="group=case without a list"):
        splits_of(flat, "?group=case")
    with pytest.raises(BadInput, match=r"too few groups for val and test images; allowed: 3 or more groups a class"):
        splits_of(flat, "?group={group}*/*")


def test_a_group_in_two_splits_of_the_folder_is_refused_and_parts_the_rest(root):
    with pytest.raises(BadInput, match=r"group 00 is in train and in test \(test/ant/00\.png\); allowed: each group"):
        splits_of(root, "?group={group}.png")
    shutil.rmtree(root / "test")
    for number, path in enumerate(sorted(root.rglob("*.png"))):
        unlike(path, number)
    found = splits_of(root, "?group={group}.png")
    assert all(len({found[f"train/{c}/{i:02}.png"] for c in ("ant", "bee", "cat")}) == 1 for i in range(10))


def test_few_images_are_parted_so_that_each_class_is_trained():
    for count, expected in ((1, "train"), (2, "train val"), (3, "test train val"), (5, "test train train train val")):
        assert " ".join(sorted(partition([0] * count, [str(i) for i in range(count)]))) == expected
    assert joined(["a", "b", "c", "d"], ["1", "1", "2", "3"]) == ["a", "a", "c", "d"]
    assert joined(["a", "b", "b", "c"], ["1", "1", "2", "2"]) == ["a", "a", "a", "a"]


def test_too_few_for_a_split_is_refused(tmp_path):
    for name in ("ant", "bee"):
        write_picture(tmp_path / name / f"{name}.png", len(name), (3, len(name) + (name == "bee")))
    with pytest.raises(BadInput, match="too few images for val and test images; allowed: 3 or more images a class"):
        splits_of(tmp_path)
    write_folder(tmp_path / "data", {"train": 1}, ("ant", "bee"))
    with pytest.raises(BadInput, match="every class in train has one image, so none can be held out"):
        splits_of(tmp_path / "data")


def test_splits_are_found_by_other_names(root):
    (root / "train").rename(root / "Training_set")
    (root / "test").rename(root / "TEST")
    dataset = get_dataset(f"folder:{root}")
    assert [dataset.size(s) for s in dataset.splits] == [24, 6, 6]


def test_classes_that_val_or_test_lacks_are_said(root, capsys):
    shutil.rmtree(root / "test" / "cat")
    for name in ("ant", "cat"):
        for path in list((root / "train" / name).iterdir())[1:]:
            path.unlink()
    dataset = get_dataset(f"folder:{root}")
    assert dataset.class_names == ("ant", "bee", "cat") and dataset.size("test") == 4
    said = capsys.readouterr().err.splitlines()
    assert said[:3] == [
        f"hwnas: {root} has no validation images: 2 of 12 train images are taken; seed 2020",
        "hwnas: no val images of 2 classes: ant, cat",
        "hwnas: no test images of 1 class: cat",
    ]


def test_classes_in_another_form_of_unicode_are_the_same(root):
    for split, form in (("train", "NFC"), ("test", "NFD")):
        (root / split / "ant").rename(root / split / unicodedata.normalize(form, "Kätzchen"))
    dataset = get_dataset(f"folder:{root}")
    assert dataset.class_names == ("Kätzchen", "bee", "cat")
    assert dataset.images("test", 8).shape == (6, 3, 8, 8)  # opened by the names they have


# --- lists ---------------------------------------------------------------------------------------------------------

LISTS = {
    "with a header": "file,class,split\na.png,ant,train\nb.png,bee,Validation\n",
    "semicolons, quotes, another order": 'Split;Label;Filename\ntraining;"ant";"a.png"\nval;bee;b.png\n',
    "tabs without a header": "a.png\tant\ttrain\nb.png\tbee\tval\n",
    "blanks": "a.png ant train\nb.png bee val\n",
    "a byte order mark and Windows' line ends": "\ufefffile,class,split\r\na.png,ant,train\r\nb.png,bee,val\r\n",
    "other columns": "id,file_name,label,subset,width\n1,a.png,ant,train,4\n2,b.png,bee,val,4\n",
}


@pytest.mark.parametrize("kind", LISTS)
def test_lists_of_many_kinds_are_read(tmp_path, kind):
    for number, name in enumerate("ab"):
        unlike(tmp_path / f"{name}.png", number)
    (tmp_path / "list.csv").write_text(LISTS[kind], newline="")
    rows = read_lists(tmp_path, ["list.csv"])
    assert [(r.file, r.label, r.split) for r in rows] == [("a.png", "ant", "train"), ("b.png", "bee", "val")]


def test_a_list_in_the_folder_is_used(tmp_path):
    root = drawings.make(tmp_path / "mine", classes=2, per_class=10, size=8, layout="list")
    dataset = get_dataset(f"folder:{root}")
    assert [dataset.size(s) for s in dataset.splits] == [12, 4, 4] and dataset.class_names == ("circle", "cross")
    rows = (root / "list.csv").read_text().splitlines()
    (root / "list.csv").write_text("\n".join([rows[0], *reversed(rows[1:])]))
    assert get_dataset(f"folder:{root}")._files == dataset._files


def test_lists_by_split_and_a_list_without_splits(tmp_path):
    for i in range(12):
        unlike(tmp_path / "images" / f"a b{i}.png", i)
    for name, which in (("train", range(8)), ("test", range(8, 12))):
        lines = [f"images\\a b{i}.png {i % 2}" for i in which]
        (tmp_path / f"{name}.txt").write_text("\n".join(lines))
    layout = find_layout(parse_reference(f"folder:{tmp_path}"))
    assert {s: len(x.files) for s, x in layout.listings.items()} == {"train": 6, "val": 2, "test": 4}
    assert layout.notes == (
        f"images and classes are those of test.txt, train.txt in {tmp_path}",
        f"{tmp_path} has no validation images: 2 of 8 train images are taken; seed 2020",
    )
    rows = [f"images/a b{i}.png,{i % 2},{i // 4}" for i in range(12)]
    (tmp_path / "all.csv").write_text("\n".join(["image,label,patient", *rows]))
    with pytest.raises(BadInput, match=r"several lists in .* \(all.csv, test.txt, train.txt\).*\?list=all\.csv$"):
        splits_of(tmp_path)
    found = splits_of(tmp_path, "?list=all.csv&group=patient")
    assert all(len({found[f"images/a b{i}.png"] for i in range(g, g + 4)}) == 1 for g in (0, 4, 8))
    (tmp_path / "all.csv").write_text("\n".join(["image,label,patient", *rows[:8]]))
    with pytest.raises(BadInput, match=r"some of the lists all\.csv, test\.txt in .* say no split"):
        splits_of(tmp_path, "?list=all.csv,test.txt")


def test_numbers_are_classes_in_their_order(tmp_path):
    for i in range(11):
        unlike(tmp_path / f"{i}.png", i)
    lines = [f"{i}.png,{i},train" for i in range(11)] + ["0.png,0,train"]
    (tmp_path / "list.csv").write_text("\n".join(["file,class,split", *lines, "1.png,1,train"]))
    (tmp_path / "val.csv").write_text("")
    rows = read_lists(tmp_path, ["list.csv"])
    assert len(rows) == 11
    unlike(tmp_path / "v.png", 30)
    (tmp_path / "list.csv").write_text("\n".join(["file,class,split", *lines, "v.png,10,val"]))
    assert find_layout(parse_reference(f"folder:{tmp_path}")).class_names == tuple(map(str, range(11)))


WRONG_LISTS = {
    "file,class\n/etc/passwd,ant\n": r"line 2 of .*list\.csv leads to /etc/passwd, outside .*; allowed: files in",
    "file,class\n../x.png,ant\n": r"line 2 of .* leads to .*x\.png, outside",
    "file,class,split\na.png,ant,trial\n": r"split 'trial' in line 2 of .*; allowed: train, val, test",
    "file,class,split\na.png,ant,\n": r"no split in line 2 of ",
    "file,class\na.png,\n": r"line 2 of .* lacks a class; allowed: a file and a class",
    "file,class\na.png,ant\na.png,bee\n": r"line 3 of .* lists a\.png again, otherwise; allowed: one class and split",
    "file,path\na.png,b.png\n": r"two columns for file in .*list\.csv \(file, path\); allowed: a header with a name",
    "x,y\n1,2\n": r"no column for file in .*list\.csv \(no header\)",
    "": r"list\.csv is empty; allowed: a line for each image",
    "file,class\na.png,ant\n": r"1 class in .* \(ant\); allowed: 2 or more",
    "file,class\nlink.png,ant\nb.png,bee\n": r"link\.png is a link to /etc/passwd; allowed: links to files in",
}


@pytest.mark.parametrize("text", WRONG_LISTS)
def test_a_wrong_list_is_one_clear_line(tmp_path, text):
    for number, name in enumerate("ab"):
        unlike(tmp_path / f"{name}.png", number)
    (tmp_path / "link.png").symlink_to("/etc/passwd")
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(BadInput, match=WRONG_LISTS[text]) as caught:
        get_dataset(f"folder:{tmp_path}?list=list.csv")
    assert "\n" not in str(caught.value)


def test_other_wrong_references_to_lists(tmp_path):
    unlike(tmp_path / "a.png", 0)
    (tmp_path / "list.csv").write_text("file,class\na.png,ant\n")
    for options, message in (
        ("?list=../list.csv", r"list=\.\./list\.csv leads to .*list\.csv, outside"),
        ("?list=list.csv&group=patient", r"no column patient in .*list\.csv \(file, class\); allowed: group=COLUMN"),
    ):
        with pytest.raises(BadInput, match=message):
            get_dataset(f"folder:{tmp_path}{options}")
    with pytest.raises(BadInput, match=r"list\.csv is a file; allowed: .*; try: folder:.*\?list=list\.csv$"):
        get_dataset(f"folder:{tmp_path}/list.csv")


def test_a_listed_file_in_another_form_of_unicode_is_found_and_a_missing_one_named(tmp_path):
    names = [unicodedata.normalize("NFD", f"é{i}.png") for i in range(4)]
    for number, name in enumerate(names):
        unlike(tmp_path / "ü" / name, number)
    lines = [f"ü/é{i}.png,{i % 2},{'train' if i < 2 else 'val'}" for i in range(4)]
    (tmp_path / "list.csv").write_text("\n".join(["file,class,split", *lines]))
    dataset = get_dataset(f"folder:{tmp_path}")
    assert dataset._files["train"] == [f"ü/{name}" for name in names[:2]]
    (tmp_path / "ü" / names[2]).unlink()
    with pytest.raises(BadInput, match=r"1 damaged image in .*: ü/é2\.png \(missing\)"):
        get_dataset(f"folder:{tmp_path}")
