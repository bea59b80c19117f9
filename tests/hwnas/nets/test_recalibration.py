"""BatchNorm's statistics: of all images alike, whatever their order, their number and their batches."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
from torch import nn

from hwnas.data import Augmentation, Dataset, MemoryDataset, get_dataset
from hwnas.data.splits import keyed_order, keys_of
from hwnas.nets import Network
from hwnas.nets.statistics import take_statistics
from hwnas.space import get_space
from hwnas.train.evaluate import calibration_batches, recalibrate, recalibrate_on, top1
from tests.hwnas.image_files import labels_of, write_folder

torch.set_num_threads(1)


def network_of(classes: int, seed: int = 1) -> Network:
    space = get_space("tiny", [12], classes)
    arch = space.extremes()[0]
    return Network(space.layers(arch), arch, seed=seed)


def in_memory(counts: dict[str, int], order=None) -> Dataset:
    """Images of three classes, of differing levels, listed class by class or in that order."""
    total = sum(counts.values())
    labels = np.concatenate([np.sort(np.arange(n) % 3) for n in counts.values()])
    rng = np.random.default_rng(0)
    images = (0.3 * rng.random((total, 1, 8, 8)) + 0.3 * labels[:, None, None, None]).astype(np.float32)
    ends = np.cumsum([0, *counts.values()])
    splits = {split: np.arange(a, b) for split, a, b in zip(counts, ends[:-1], ends[1:], strict=True)}
    if order is not None:
        splits["train"] = splits["train"][order]
    return MemoryDataset("made", images, labels, splits, Augmentation())


def test_uneven_batches_count_by_their_images():
    images = torch.randn(129, 1, 12, 12) * torch.linspace(0.1, 3, 129)[:, None, None, None] + 1
    network = network_of(3)
    recalibrate(network, [(part, None) for part in images.split(128)[:1]] + [(images[128:].repeat(1, 1, 3, 3), None)])
    stem, values = network.layers[0].conv, []
    with torch.no_grad():
        for part in (images[:128], images[128:].repeat(1, 1, 3, 3)):
            values.append(stem.conv(part).transpose(0, 1).flatten(1).double())
    pooled = torch.cat(values, 1)
    assert torch.allclose(stem.norm.running_mean.double(), pooled.mean(1), rtol=1e-5, atol=1e-6)
    assert torch.allclose(stem.norm.running_var.double(), pooled.var(1), rtol=1e-5)


def test_statistics_of_a_thousand_batches_do_not_drift():
    norm, x = nn.BatchNorm1d(2), torch.randn(4000, 2) * 0.01 + 1000
    take_statistics(norm, x.split(4))
    assert torch.allclose(norm.running_mean.double(), x.double().mean(0), rtol=1e-7)
    assert torch.allclose(norm.running_var.double(), x.double().var(0), rtol=1e-3)


@pytest.mark.parametrize(("count", "sizes"), [(129, [129]), (180, [180]), (200, [100, 100]), (512, [128] * 4)])
def test_no_batch_is_small_and_each_has_the_classes_in_proportion(count, sizes):
    dataset = in_memory({"train": count, "val": 3, "test": 3})
    batches = list(calibration_batches(dataset, 12))
    assert [len(labels) for _, labels in batches] == sizes
    for _, labels in batches:
        assert np.ptp(np.bincount(labels.numpy(), minlength=3)) <= 2


def test_a_last_batch_of_one_image_is_no_error():
    dataset = in_memory({"train": 129, "val": 30, "test": 3})
    moved = recalibrate_on(network_of(3), dataset, 12)
    assert moved.images == 30 and 0 <= moved.after <= 100 and moved.points == round(moved.after - moved.before, 2)


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_the_listing_changes_nothing(seed):
    counts, order = {"train": 600, "val": 30, "test": 3}, np.random.default_rng(seed).permutation(600)
    listed, shuffled = in_memory(counts), in_memory(counts, order)
    for (a, x), (b, y) in zip(calibration_batches(listed, 12), calibration_batches(shuffled, 12), strict=True):
        assert torch.equal(a, b) and torch.equal(x, y)


def test_nor_does_the_order_of_files(root):
    dataset, other = (get_dataset(f"folder:{root}") for _ in range(2))
    order = np.random.default_rng(0).permutation(len(other._files["train"]))
    other._files["train"] = [other._files["train"][i] for i in order]
    other._labels["train"] = other._labels["train"][order]
    names = [[d._files["train"][i] for i in d.sample("train", 10)] for d in (dataset, other)]
    assert names[0] == names[1] and names[0] != sorted(names[0])


def test_images_class_by_class_give_the_accuracy_of_shuffled_ones(tmp_path):
    """Three classes of 60 images: in the order of the listing the last 52 of 180 are of one class."""
    root = write_folder(tmp_path / "data", {"train": 60, "val": 20})
    dataset = get_dataset(f"folder:{root}?channels=1")
    network = network_of(3)
    torch.nn.init.normal_(network.layers[-1].linear.conv.weight)
    moved = recalibrate_on(network, dataset, 12)
    first = network.layers[0].conv.norm.running_mean.clone()
    images = dataset.images("train", 12)
    assert labels_of(images, dataset.mean, dataset.std) == [0] * 60 + [1] * 60 + [2] * 60
    shuffled = images[np.random.default_rng(0).permutation(180)]
    take_statistics(network, [shuffled])
    assert torch.allclose(network.layers[0].conv.norm.running_mean, first, atol=1e-5)
    assert top1(network, dataset, "val", 12) == moved.after
    shutil.rmtree(root)


def test_samples_are_of_all_classes_in_proportion():
    labels = np.sort(np.random.default_rng(0).choice(4, 4000, p=[0.5, 0.3, 0.19, 0.01]))
    order = keyed_order(labels, keys_of(str(i).encode() for i in range(4000)))
    assert sorted(order) == list(range(4000))
    for part in np.split(order[:1000], 4):
        shares = np.bincount(labels[part], minlength=4) / 250
        assert np.abs(shares - np.bincount(labels) / 4000).max() < 0.01
