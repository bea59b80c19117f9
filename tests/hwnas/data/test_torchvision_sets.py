"""Published data sets, read from small files in their own formats."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from hwnas.data import BUILT_IN, DATASETS, check_dataset, get_dataset
from profilers.errors import BadInput
from tests.hwnas import image_files as files


def check(dataset, sizes: tuple[int, int, int], classes: list[str]) -> None:
    """Sizes, names, that each image shows the class of its label at any resolution, and that splits are disjoint."""
    assert tuple(dataset.size(s) for s in ("train", "val", "test")) == sizes
    assert list(dataset.class_names[: len(classes)]) == classes and dataset.in_channels == 3
    for split in dataset.splits:
        for augment in (None, np.random.default_rng(0)):
            images, labels = dataset.batch(split, np.arange(dataset.size(split)), 24, augment)
            assert images.shape == (dataset.size(split), 3, 24, 24) and images.dtype == torch.float32
            if augment is None or dataset.crop < 1:  # CIFAR's augmentation puts black at the border
                assert files.labels_of(images, dataset.mean, dataset.std) == labels.tolist()
    names = getattr(dataset, "_files", {})
    assert len({n for part in names.values() for n in part}) == sum(len(part) for part in names.values())


@pytest.mark.parametrize("kind", ["10", "100"])
def test_cifar(tmp_path, monkeypatch, kind):
    files.write_cifar(tmp_path, kind, monkeypatch)
    sizes = {"10": (80, 20, 20), "100": (10, 10, 20)}[kind]  # five batches of 20, and one; a fifth, one a class
    check(get_dataset(f"cifar{kind}:{tmp_path}"), sizes, [f"class {i}" for i in range(10)])


def test_the_papers_share_is_held_out_where_the_whole_data_set_is_there():
    from hwnas.data.splits import hold_out

    labels = np.repeat(np.arange(10), 5000)
    stays, held = hold_out(labels, 5000)
    assert (len(stays), len(held)) == (45000, 5000) and not set(stays) & set(held)
    assert np.abs(np.bincount(labels[held]) - 500).max() <= 1
    assert np.array_equal(held, hold_out(labels, 5000)[1])


def test_stl10(tmp_path, monkeypatch):
    files.write_stl10(tmp_path, monkeypatch)
    check(get_dataset(f"stl10:{tmp_path}"), (10, 10, 20), [f"class {i}" for i in range(10)])


def test_stl10_is_stored_column_by_column(tmp_path, monkeypatch):
    files.write_stl10(tmp_path, monkeypatch)
    from torchvision.datasets import STL10

    place = tmp_path / STL10.base_folder
    pixels = np.zeros((20, 3, 96, 96), np.uint8)
    pixels[:, :, 5] = 255  # the sixth column, as the file counts
    (place / "train_X.bin").write_bytes(pixels.tobytes())
    monkeypatch.setattr(STL10, "train_list", [[n, files.md5(place / n)] for n, _ in STL10.train_list])
    image = get_dataset(f"stl10:{tmp_path}").images("train", 96)[0, 0]
    assert (image[:, 5] == image.max()).all() and (image[:, 6] == image.min()).all()


def test_flowers102(tmp_path, monkeypatch):
    files.write_flowers(tmp_path, monkeypatch)
    dataset = get_dataset(f"flowers102:{tmp_path}")
    check(dataset, (6, 6, 6), ["pink primrose", "hard-leaved pocket orchid"])
    assert dataset.classes == 102 and dataset.labels("val").tolist() == [0, 1, 4, 0, 1, 4]


def test_pets(tmp_path):
    files.write_pets(tmp_path)
    check(get_dataset(f"pets:{tmp_path}"), (12, 3, 15), ["Abyssinian", "Great Pyrenees", "Pug"])


def test_dtd(tmp_path):
    files.write_dtd(tmp_path)
    check(get_dataset(f"dtd:{tmp_path}"), (3, 3, 3), ["banded", "dotted", "zigzagged"])


def test_aircraft(tmp_path):
    files.write_aircraft(tmp_path)
    check(get_dataset(f"aircraft:{tmp_path}"), (3, 3, 3), ["A300B4", "Boeing 737-700", "Yak-42"])


def test_cinic10(tmp_path):
    files.write_folder(tmp_path, {"train": 3, "valid": 2, "test": 1})
    dataset = get_dataset(f"cinic10:{tmp_path}")
    check(dataset, (9, 6, 3), ["ant", "bee", "cat"])
    assert dataset.mean == (0.4789, 0.4723, 0.4305) and dataset.crop == 1.0
    (tmp_path / "valid").rename(tmp_path / "validate")
    with pytest.raises(BadInput, match="no folder valid"):
        get_dataset(f"cinic10:{tmp_path}")


def test_imagenet_as_plain_folders_and_with_torchvisions_meta_file(tmp_path):
    wnids = ("n01440764", "n01443537", "n01484850")
    files.write_folder(tmp_path, {"train": 5, "val": 2}, wnids)
    dataset = get_dataset(f"imagenet:{tmp_path}")
    check(dataset, (12, 3, 6), list(wnids))  # of less than 50,000 images a fifth is held out; val is the test
    meta = {"n01440764": ("tench", "Tinca tinca"), "n01443537": ("goldfish",), "n01484850": ("great white shark",)}
    torch.save((meta, ["n01440764"]), tmp_path / "meta.bin")
    assert get_dataset(f"imagenet:{tmp_path}").class_names == ("tench", "goldfish", "great white shark")
    (tmp_path / "meta.bin").write_bytes(pickle.dumps({"not": Path("weights only")}, protocol=2))
    with pytest.raises(BadInput, match=r"meta\.bin does not name the classes"):
        get_dataset(f"imagenet:{tmp_path}")


def test_the_thousand_classes_are_named_by_torchvision(tmp_path):
    from hwnas.data.imagenet import _names

    names = _names(tmp_path, [f"n{i:08}" for i in range(1000)])
    assert (names[0], names[1], names[999]) == ("tench", "goldfish", "toilet tissue")


@pytest.mark.parametrize("name", sorted(set(DATASETS) - set(BUILT_IN)))
def test_what_is_missing_is_one_line_with_what_belongs_there(tmp_path, name):
    with pytest.raises(BadInput, match=f"data set {name} without a folder.*HWNAS_ROOT_{name.upper()}=DIR"):
        get_dataset(name)
    with pytest.raises(BadInput, match=r"does not exist.*; allowed: ") as caught:
        get_dataset(f"{name}:{tmp_path}/nowhere")
    assert "\n" not in str(caught.value) and list(tmp_path.iterdir()) == []


def test_what_is_built_in_is_always_there():
    for name in BUILT_IN:
        check_dataset(name)


def test_torchvisions_download_is_named_where_it_has_one(tmp_path):
    with pytest.raises(BadInput, match=r"datasets\.CIFAR10\('.*nowhere', download=True\)"):
        get_dataset(f"cifar10:{tmp_path}/nowhere")


class Touch:
    """A pickle that writes a file when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_a_cifar_file_with_another_digest_is_never_unpickled(tmp_path, monkeypatch):
    place = files.write_cifar(tmp_path, "10", monkeypatch)
    for name in ("data_batch_3", "batches.meta"):
        good = (place / name).read_bytes()
        (place / name).write_bytes(pickle.dumps(Touch(tmp_path / "touched")))
        with pytest.raises(BadInput, match=rf"{name} is not as it was published \(its MD5 differs\)"):
            get_dataset(f"cifar10:{tmp_path}")
        (place / name).unlink()
        with pytest.raises(BadInput, match=f"{name} does not exist"):
            get_dataset(f"cifar10:{tmp_path}")
        (place / name).write_bytes(good)
    assert not (tmp_path / "touched").exists()


def test_lists_that_are_not_as_published_are_refused(tmp_path):
    files.write_pets(tmp_path)
    lists = tmp_path / "oxford-iiit-pet" / "annotations"
    good = (lists / "test.txt").read_text()
    for text, message in (
        ("pug_1 one 1 1\n", "not as torchvision expects"),
        ("pug_1\n", "not as torchvision expects"),
        (good.replace("pug", "mop"), r"other classes \(Mop, Pug\)"),
        (good.replace("pug_10", "../../../pug_10"), "outside the data set|other classes"),
    ):
        (lists / "test.txt").write_text(text)
        with pytest.raises(BadInput, match=message):
            get_dataset(f"pets:{tmp_path}")
    (lists / "test.txt").unlink()
    with pytest.raises(BadInput, match="not as torchvision expects"):
        get_dataset(f"pets:{tmp_path}")


def test_a_listed_image_that_is_missing_counts_as_damaged(tmp_path, capsys):
    files.write_pets(tmp_path)
    (tmp_path / "oxford-iiit-pet" / "images" / "pug_12.jpg").unlink()
    with pytest.raises(BadInput, match=r"1 damaged image in .*pug_12\.jpg \(missing\)"):
        get_dataset(f"pets:{tmp_path}")
    dataset = get_dataset(f"pets:{tmp_path}?damaged=skip")
    assert dataset.size("test") == 14 and list(dataset.left_out) == ["oxford-iiit-pet/images/pug_12.jpg"]
    assert "pug_12.jpg (missing); left out, 29 are used" in capsys.readouterr().err
