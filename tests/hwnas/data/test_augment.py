"""Cuts of images, against torchvision's transforms and against each other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torchvision import transforms
from torchvision.transforms import functional as TF

from hwnas.data.augment import Centre, PadCrop, RandomResizedCrop
from hwnas.data.colour import _shift
from hwnas.data.decode import read_image

SIZES = [(80, 60), (60, 80), (33, 33), (400, 21), (17, 90), (8, 8)]


def noise(size: tuple[int, int], seed: int = 0) -> Image.Image:
    """A picture with structure at all scales."""
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("resolution", "keep"), [(32, 0.875), (24, 1.0), (224, 0.875)])
def test_evaluation_is_torchvisions_resize_and_centre_crop(size, resolution, keep):
    image = noise(size)
    shorter = -(-resolution * 1000 // round(keep * 1000))  # rounded up
    expected = transforms.CenterCrop(resolution)(transforms.Resize(shorter)(image))
    found = Centre(resolution, keep).apply(image, size)
    assert found.size == (resolution, resolution)
    assert np.array_equal(np.asarray(found), np.asarray(expected))


@given(st.integers(1, 500), st.integers(1, 500), st.integers(0, 2**32 - 1))
def test_the_random_part_lies_inside_and_has_an_allowed_area_and_aspect(width, height, seed):
    recipe = RandomResizedCrop()
    left, top, right, bottom = recipe.box((width, height), np.random.default_rng(seed).random(23))
    w, h = right - left, bottom - top
    assert 0 <= left < right <= width and 0 <= top < bottom <= height
    if 3 / 4 <= width / height <= 4 / 3:
        rounding = 0.5 * (w + h) + 0.25
        assert w * h >= 0.08 * width * height - rounding
        assert (w + 0.5) / (h - 0.5) >= 3 / 4 and (w - 0.5) / (h + 0.5) <= 4 / 3


@pytest.mark.parametrize("size", [(1000, 4), (4, 1000)])
def test_where_nothing_fits_it_is_torchvisions_central_part(size):
    top, left, height, width = transforms.RandomResizedCrop.get_params(noise(size), (0.08, 1.0), (3 / 4, 4 / 3))
    for seed in range(5):
        box = RandomResizedCrop().box(size, np.random.default_rng(seed).random(23))
        assert box == (left, top, left + width, top + height)


def test_random_parts_are_distributed_as_torchvisions():
    size, rng = (200, 150), np.random.default_rng(0)
    image = Image.new("L", size)
    ours, theirs = [], []
    for _ in range(2000):
        left, top, right, bottom = RandomResizedCrop().box(size, rng.random(23))
        ours.append((left, top, right - left, bottom - top))
        y, x, h, w = transforms.RandomResizedCrop.get_params(image, (0.08, 1.0), (3 / 4, 4 / 3))
        theirs.append((x, y, w, h))
    a, b = np.array(ours, float), np.array(theirs, float)
    error = np.sqrt((a.var(0) + b.var(0)) / 2000)
    assert (np.abs(a.mean(0) - b.mean(0)) < 5 * error).all()
    assert np.allclose(a.std(0), b.std(0), rtol=0.15)


def test_the_random_part_is_cut_resized_and_mirrored_as_torchvision_would():
    image, recipe = noise((80, 60)), RandomResizedCrop()
    for seed in range(6):
        row = np.random.default_rng(seed).random(23)
        left, top, right, bottom = recipe.box((80, 60), row)
        expected = TF.resized_crop(image, top, left, bottom - top, right - left, [24, 24])
        if row[22] < 0.5:
            expected = TF.hflip(expected)
        found = recipe.view(row, 24).apply(image, (80, 60))
        assert np.array_equal(np.asarray(found), np.asarray(expected))


def test_a_large_jpeg_is_read_smaller_for_training_and_shows_the_same(tmp_path):
    x, y = np.meshgrid(np.arange(1600), np.arange(1200))
    smooth = np.stack([x / 1600, y / 1200, (x + y) / 2800], 2) * 255
    Image.fromarray(smooth.astype(np.uint8)).save(tmp_path / "a.jpg", quality=95)
    recipe, reduced = RandomResizedCrop((0.5, 1.0)), 0
    for seed in range(8):
        view = recipe.view(np.random.default_rng(seed).random(23), 64)
        image, size = read_image(tmp_path / "a.jpg", view.reduction)
        whole, _ = read_image(tmp_path / "a.jpg")
        assert size == whole.size == (1600, 1200)
        reduced += image.size != size
        found, exact = (np.asarray(view.apply(i, size), float) for i in (image, whole))
        assert np.abs(found - exact).mean() < 2  # of 255 levels
    assert reduced == 8
    assert Centre(64).reduction((1600, 1200)) == 1


def test_shifting_in_memory_is_padding_and_cropping_an_image():
    images = np.stack([np.asarray(noise((32, 32), seed)) for seed in range(20)])
    rows = np.random.default_rng(0).random((20, 3))
    import torch

    found = _shift(torch.from_numpy(images.transpose(0, 3, 1, 2).copy()), rows).numpy()
    for image, row, pixels in zip(images, rows, found, strict=True):
        expected = np.asarray(PadCrop().view(row, 32).apply(Image.fromarray(image), (32, 32)))
        assert np.array_equal(pixels.transpose(1, 2, 0), expected)


def test_shifts_reach_an_eighth_each_way_evenly():
    rows = np.random.default_rng(0).random((20_000, 3))
    corners = np.array([PadCrop.corner((32, 96), row) for row in rows])
    assert sorted(set(corners[:, 0])) == list(range(-4, 5)) and sorted(set(corners[:, 1])) == list(range(-12, 13))
    assert np.abs(np.bincount(corners[:, 0] + 4) / 20_000 - 1 / 9).max() < 0.01


def test_what_is_outside_a_shifted_image_is_black():
    white = Image.new("RGB", (32, 32), "white")
    found = np.asarray(PadCrop().view(np.array([0.0, 0.999, 0.9]), 32).apply(white, (32, 32)))
    assert (found[:, :4] == 0).all() and (found[-4:] == 0).all() and (found[:-4, 4:] == 255).all()
