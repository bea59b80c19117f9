"""Kinds of pixels that image files hold, and what becomes of them."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from hwnas.data import get_dataset
from profilers.errors import BadInput
from tests.hwnas.image_files import labels_of, picture


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


def test_pixels_of_an_unknown_range_are_refused(root):
    Image.fromarray(np.full((9, 9), 200, np.float32)).save(root / "test/ant/00.png", format="TIFF")
    with pytest.raises(BadInput, match=r"00\.png \(pixels from 200 to 200, where 0 to 1 is expected; .*white=255\)"):
        get_dataset(f"folder:{root}")
    stated = get_dataset(f"folder:{root}?white=255")
    assert stated.name.endswith("?white=255") and stated.white == 255
    value = float(stated.images("test", 8)[0, 0, 0, 0] * stated.std[0] + stated.mean[0])
    assert value * 255 == pytest.approx(200, abs=1e-3)
    for wrong in ("white=0", "white=-1", "white=nan", "white=x", "white=inf"):
        with pytest.raises(BadInput, match="white=NUMBER above 0"):
            get_dataset(f"folder:{root}?{wrong}")


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
