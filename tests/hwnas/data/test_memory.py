"""Data sets: splits, resizing, normalisation, augmentation."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hwnas.data import SPLITS, Augmentation, check_dataset, get_dataset
from hwnas.data.cluttered import FRAME
from profilers.errors import BadInput


@pytest.fixture(scope="module")
def digits():
    return get_dataset("digits")


def test_splits_are_disjoint_complete_and_stratified(digits):
    sizes = {s: digits.size(s) for s in SPLITS}
    assert sizes == {"train": 997, "val": 400, "test": 400}
    rows = torch.cat([digits.images(s, 8).flatten(1) for s in SPLITS])
    from sklearn.datasets import load_digits

    expected = torch.from_numpy(((load_digits().data / 16 - digits.mean[0]) / digits.std[0]).astype(np.float32))
    order = [t[np.lexsort(t.numpy().T)] for t in (rows, expected)]
    assert torch.allclose(*order, atol=1e-5)  # all 1,797 images, each once, and nothing but scaled
    for split, n in sizes.items():
        counts = np.bincount(digits.labels(split), minlength=10)
        assert np.abs(counts / n - 0.1).max() < 0.012


def test_images_are_normalised_float32_of_the_resolution(digits):
    images = digits.images("train", 20)
    assert images.shape == (997, 1, 20, 20) and images.dtype == torch.float32
    assert abs(float(images.mean())) < 0.05 and 0.8 < float(images.std()) < 1.05
    native = digits.images("train", 8)
    assert abs(float(native.mean())) < 1e-3 and abs(float(native.std()) - 1) < 1e-3


def test_a_part_of_the_images_is_the_same_each_time(digits):
    a, b = (digits.images("train", 12, 64) for _ in range(2))
    assert len(a) == 64 and torch.equal(a, b)


def test_augmentation_is_seeded_and_no_distortion_is_plain_resizing(digits):
    indices = np.arange(32)
    a, b, c = (digits.batch("train", indices, 16, np.random.default_rng(s))[0] for s in (0, 0, 1))
    assert torch.equal(a, b) and not torch.equal(a, c)
    assert Augmentation().matrices(3, np.random.default_rng(0)).tolist() == [[[1, 0, 0], [0, 1, 0]]] * 3


def test_a_shift_moves_by_that_fraction_of_the_frame():
    matrix = Augmentation(shift=0.25).matrices(1000, np.random.default_rng(0))
    assert 0.49 < matrix[:, :, 2].abs().max() <= 0.5  # the frame is 2 wide
    assert torch.equal(matrix[:, :, :2], torch.eye(2).expand(1000, 2, 2))


def test_unknown_names_are_refused(digits):
    with pytest.raises(
        BadInput, match=r"unknown data set 'digit'; allowed: digits, cluttered-digits, imagenet.*try: digits"
    ):
        get_dataset("digit")
    with pytest.raises(BadInput, match="unknown data set 'yyy") as caught:
        get_dataset("y" * 10_000)
    assert len(str(caught.value)) < 300
    with pytest.raises(BadInput, match="'valid' of digits; allowed"):
        digits.labels("valid")


def test_grey_images_are_taken_in_three_equal_channels(digits):
    colour = digits.with_channels(3)
    assert (colour.in_channels, digits.in_channels, len(colour.mean), len(colour.std)) == (3, 1, 3, 3)
    assert torch.equal(colour.images("val", 16), digits.images("val", 16).expand(-1, 3, -1, -1))
    rng = [np.random.default_rng(0) for _ in range(2)]
    images = [d.batch("train", np.arange(8), 12, r)[0] for d, r in zip((digits, colour), rng, strict=True)]
    assert torch.equal(images[0].expand(-1, 3, -1, -1), images[1])
    assert np.array_equal(colour.sample("val", 50), digits.sample("val", 50))
    with pytest.raises(BadInput, match="images of 1 channels in digits; allowed: 4"):
        digits.with_channels(4)


def test_cluttered_digits_hold_the_digit_among_pieces_of_others():
    clutter, plain = get_dataset("cluttered-digits"), get_dataset("digits")
    assert [clutter.size(s) for s in SPLITS] == [plain.size(s) for s in SPLITS]
    images, labels = clutter.batch("test", np.arange(20), FRAME)
    raw, same = plain.batch("test", np.arange(20), 8)
    assert images.shape == (20, 1, FRAME, FRAME) and torch.equal(labels, same)
    for image, digit in zip(images, raw, strict=True):  # the ink of the digit is somewhere in its frame
        windows = image.unfold(1, 8, 1).unfold(2, 8, 1).reshape(-1, 8, 8)
        assert bool((windows >= digit - 1e-5).all(1).all(1).any())
    assert torch.equal(clutter.batch("test", np.arange(20), FRAME)[0], images)  # the same in every run
    some = clutter.batch("test", np.array([7, 3]), FRAME)[0]
    assert torch.equal(some, images[[7, 3]])  # whatever it is asked for with
    drawn = [clutter.batch("train", np.arange(5), FRAME, np.random.default_rng(i))[0] for i in (0, 0, 1)]
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])
    assert clutter.with_channels(3).batch("test", np.arange(4), 32)[0].shape == (4, 3, 32, 32)
    with pytest.raises(BadInput, match="cluttered-digits: it is built in and takes neither folder nor options"):
        get_dataset("cluttered-digits:/data")
    check_dataset("cluttered-digits")  # it wants no folder
