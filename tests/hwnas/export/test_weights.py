"""A network of once-for-all's published supernet: statistics of its own, ImageNet's preparation and class names."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms

from hwnas.data import get_dataset
from hwnas.export import datasheet
from hwnas.export.source import item_of_arch
from hwnas.export.weights import Wanted
from hwnas.space import get_space
from profilers.errors import BadInput
from tests.hwnas.ofa_cases import family

SIZE = 64
SPACE = get_space("proxyless", [SIZE])
PICTURES = 16


@pytest.fixture(scope="module")
def supernet(tmp_path_factory):
    path = tmp_path_factory.mktemp("ofa") / "ofa_proxyless.pth"
    torch.save({"state_dict": family("1.3").tensors}, path)
    return path


@pytest.fixture(scope="module")
def arch(tmp_path_factory):
    path = tmp_path_factory.mktemp("arch") / "arch.json"
    path.write_text(json.dumps(SPACE.extremes()[0].to_json()))
    return path


def write(folder, count: int = PICTURES):
    """Smooth colours, so that two ways of resizing give nearly the same."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(len(folder.name))
    for i in range(count):
        small = rng.integers(0, 256, (4, 5, 3), np.uint8)
        Image.fromarray(small).resize((120, 96), Image.Resampling.BICUBIC).save(folder / f"{i}.png")
    return folder


def as_ofa(path):
    """An image as once-for-all evaluates it: Resize(ceil(size / 0.875)), CenterCrop(size), ImageNet's statistics."""
    steps = [
        transforms.Resize(math.ceil(SIZE / 0.875)), transforms.CenterCrop(SIZE), transforms.ToTensor(),
        transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ]  # fmt: skip
    return transforms.Compose(steps)(Image.open(path))


def test_without_images_it_is_refused_with_what_to_add(supernet, arch):
    with pytest.raises(BadInput, match="--dataset imagenet:DIR, --images DIR, or --no-recalibration"):
        item_of_arch(arch, SPACE, SPACE.extremes()[0], Wanted(supernet))


@pytest.mark.slow
def test_as_inherited_there_is_a_warning_and_imagenets_preparation(hwnas, supernet, arch, tmp_path):
    code, rows, err = hwnas("export", arch, "--space", "proxyless", "--resolutions", SIZE, "--supernet", supernet,
                            "--no-recalibration", "--engine", "onnx", "--quick", "--out", tmp_path / "x")  # fmt: skip
    assert code == 0 and rows[0]["top1"] is None and "warning: " in err
    sheet = datasheet.read(tmp_path / "x")
    (line,) = sheet["warnings"]
    assert "--no-recalibration" in line and line in (tmp_path / "x/datasheet.md").read_text()
    assert "BatchNorm as inherited" in sheet["weights"]
    how = sheet["preprocessing"]
    assert (how["mean"], how["std"]) == ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]) and how["crop"] == 0.875
    assert (how["labels"][0], how["labels"][999], len(how["labels"])) == ("tench", "toilet tissue", 1000)


@pytest.mark.slow
def test_statistics_are_those_of_pictures_without_labels(supernet, arch, tmp_path):
    folder = write(tmp_path / "holiday" / "2019")
    item = item_of_arch(arch, SPACE, SPACE.extremes()[0], Wanted(supernet, images=tmp_path / "holiday"))
    assert item.dataset is None and item.warnings == () and item.input.class_names[1] == "goldfish"
    assert f"recalibrated on {PICTURES} images of" in item.weights and "without labels" in item.weights
    images = torch.stack([as_ofa(path) for path in folder.iterdir()])
    stem = item.network.layers[0].conv
    with torch.no_grad():
        expected = stem.conv(images).transpose(0, 1).flatten(1)  # (channels, values)
    assert torch.allclose(stem.norm.running_mean, expected.mean(1), atol=0.02)
    assert torch.allclose(stem.norm.running_var, expected.var(1), rtol=0.05)
    before = (
        item_of_arch(arch, SPACE, SPACE.extremes()[0], Wanted(supernet, recalibrate=False)).network.layers[0].conv.norm
    )
    assert not torch.allclose(before.running_var, expected.var(1), rtol=0.5)


@pytest.mark.slow
@pytest.mark.parametrize("names", [("tabby", "Egyptian cat"), ("281", "285"), ("tabby", "egyptian_cat")])
def test_pictures_in_folders_of_classes_are_judged(supernet, arch, tmp_path, names):
    for name in names:
        write(tmp_path / "cats" / name, 10)
    item = item_of_arch(arch, SPACE, SPACE.extremes()[0], Wanted(supernet, images=tmp_path / "cats"))
    assert item.dataset is not None and item.dataset.size("train") == item.dataset.size("val") == 10
    for split in ("train", "val"):
        assert set(item.dataset.labels(split).tolist()) == {281, 285}
    assert get_dataset(item.dataset.name).labels("val").tolist() == item.dataset.labels("val").tolist()


@pytest.mark.slow
def test_what_is_no_class_or_is_called_as_two_is_not_judged(supernet, arch, tmp_path):
    for names in (("tabby", "our cat"), ("CARDIGAN", "tabby"), ("1000", "1")):
        folder = tmp_path / "-".join(names)
        for name in names:
            write(folder / name, 8)
        item = item_of_arch(arch, SPACE, SPACE.extremes()[0], Wanted(supernet, images=folder))
        assert item.dataset is None and "without labels" in item.weights


@pytest.mark.parametrize("fault", ["few", "nowhere", "data set", "damaged"])
def test_images_that_do_not_fit_are_one_line(supernet, arch, tmp_path, fault):
    folder = tmp_path / "pictures"
    if fault == "few":
        write(folder, 3)
    elif fault == "data set":
        write(folder / "train/tabby"), write(folder / "val/tabby")
    elif fault == "damaged":
        write(folder)
        (folder / "3.png").write_bytes(b"no picture")
    said = {
        "few": "3 pictures in",
        "nowhere": "does not exist",
        "data set": "try: --dataset imagenet:",
        "damaged": "3.png",
    }
    with pytest.raises(BadInput, match=said[fault]):
        item_of_arch(arch, SPACE, SPACE.extremes()[0], Wanted(supernet, images=folder))


def test_a_data_set_of_other_classes_is_refused(supernet, arch, tmp_path):
    for split in ("train", "test"):
        for name in ("a", "b"):
            write(tmp_path / "data" / split / name, 4)
    with pytest.raises(BadInput, match=r"of 2 classes; allowed: 1000"):
        item_of_arch(arch, SPACE, SPACE.extremes()[0], Wanted(supernet, dataset=f"folder:{tmp_path}/data"))
