"""Pictures of every kind come out alike of training, calibration, validation, int8's calibration, and `run.py`."""

from __future__ import annotations

import io
import struct
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image, TiffImagePlugin

from hwnas.data import get_dataset
from hwnas.data.augment import RandomResizedCrop
from hwnas.data.picture import Damaged, centre, read_picture
from hwnas.export.calibration import images_of_path
from hwnas.export.engines import ENGINES, script
from hwnas.export.labelled import read_input
from profilers.base import Options
from profilers.errors import BadInput
from tests.hwnas.exporting import item

R = 24
GREY = np.linspace(0, 65535, 48 * 48).reshape(48, 48)  # a slope from black to white, 16 bits
COLOUR = np.stack([GREY, GREY.T, GREY[::-1]], 2) / 257
EIGHT = np.floor(GREY / 257 + 0.5)


def encoded(pixels, format_="PNG", **options) -> bytes:
    stream = io.BytesIO()
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(stream, format=format_, **options)
    return stream.getvalue()


def tiff(pixels, **tags) -> bytes:
    info = TiffImagePlugin.ImageFileDirectory_v2()
    for name, value in tags.items():
        info[{"most": 281, "photometric": 262, "orientation": 274}[name]] = value
    return encoded(pixels, "TIFF", tiffinfo=info)


def packed_12_bits() -> bytes:
    """A TIFF of 12 bits a pixel, of the slope: Pillow reads such files, but writes none."""
    values = (GREY / 65535 * 4095 + 0.5).astype(np.uint16).ravel()
    a, b = values[0::2], values[1::2]
    data = np.stack([a >> 4, (a & 15) << 4 | b >> 8, b & 255], 1).astype(np.uint8).tobytes()
    tags = [(256, 48), (257, 48), (258, 12), (259, 1), (262, 1), (273, 8 + 2 + 9 * 12 + 4), (277, 1), (278, 48),
            (279, len(data))]  # fmt: skip
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(tags)) + entries + b"\0" * 4 + data


def exif(orientation: int) -> Image.Exif:
    found = Image.Exif()
    found[274] = orientation
    return found


EIGHT_BITS, RGB = EIGHT.astype(np.uint8), COLOUR.astype(np.uint8)
TALL, WIDE, LINE = (np.resize(RGB, (h, w, 3)) for h, w in ((91, 48), (48, 77), (1, 300)))
ALPHA = np.dstack([RGB, np.tile(np.arange(48, dtype=np.uint8) * 5, (48, 1))])
PALETTE = Image.fromarray(RGB).quantize(64)
CUT = (np.uint16(GREY) >> 8 << 8).astype(np.uint16)

KINDS = {
    "grey": encoded(EIGHT_BITS), "colour": encoded(RGB), "alpha": encoded(ALPHA),
    "grey with alpha": encoded(Image.fromarray(EIGHT_BITS).convert("LA")), "palette": encoded(PALETTE),
    "transparent palette": encoded(PALETTE, transparency=bytes(range(64))),
    "one transparent colour": encoded(RGB, transparency=(0, 0, 0)),
    "bits": encoded(Image.fromarray(EIGHT_BITS).convert("1")),
    "CMYK": encoded(Image.fromarray(RGB).convert("CMYK"), "TIFF"),
    "CMYK JPEG": encoded(Image.fromarray(RGB).convert("CMYK"), "JPEG", quality=95),
    "16 bits, PNG": encoded(GREY.astype(np.uint16)), "16 bits, TIFF": tiff(GREY.astype(np.uint16)),
    "16 bits, big-endian": encoded(Image.frombytes("I;16B", (48, 48), GREY.astype(">u2").tobytes()), "TIFF"),
    "16 bits, white is 0": tiff((65535 - GREY).astype(np.uint16), photometric=0),
    "12 bits in 16": tiff((GREY / 65535 * 4095).astype(np.uint16), most=4095), "12 bits": packed_12_bits(),
    "12 bits, PGM": b"P5 48 48 4095\n" + (GREY / 65535 * 4095).astype(">u2").tobytes(),
    "32 bits": tiff(GREY.astype(np.int32), most=65535),
    "floating point": tiff((GREY / 65535).astype(np.float32)), "tall": encoded(TALL), "wide": encoded(WIDE),
    "a line": encoded(LINE), "a dot": encoded(RGB[:1, :1]), "WebP": encoded(RGB, "WEBP"), "GIF": encoded(RGB, "GIF"),
    **{f"JPEG turned {i}": encoded(WIDE, "JPEG", quality=95, exif=exif(i)) for i in range(1, 9)},
    "PNG turned": encoded(WIDE, exif=exif(6)), "TIFF turned": tiff(WIDE, orientation=6),
    "WebP turned": encoded(WIDE, "WEBP", lossless=True, exif=exif(8)),
    "EXIF of nonsense": encoded(WIDE, "JPEG", quality=95, exif=b"Exif\0\0nonsense"),
}  # fmt: skip
SLOPES = [kind for kind in KINDS if "bits" in kind and kind != "bits"] + ["floating point"]


def read(data: bytes, white: float | None = None):
    return np.asarray(read_picture(io.BytesIO(data), white)[0]).astype(int)


@pytest.fixture
def ways(root):
    """The data set whose single images are given, and `run.py`'s preparation for it."""

    def make(data: bytes, channels: int):
        for path in root.rglob("*.png"):
            path.write_bytes(data)
        dataset = get_dataset(f"folder:{root}?channels={channels}")
        work = item(0, None)
        arch = replace(work.arch, r=R)
        how = replace(work, arch=arch, dataset=dataset, space=replace(work.space, in_channels=channels)).preprocessing
        scope: dict = {"__name__": "run"}
        exec(compile(script(ENGINES["onnx"], Options(), ["model.onnx"]), "run.py", "exec"), scope)
        path = root / "train/ant/00.png"
        return dataset, read_input(path, how)[0], scope["prepare"](path, how)[0]

    return make


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_every_way_gives_the_same_pixels(ways, kind, channels):
    dataset, int8, shipped = ways(KINDS[kind], channels)
    first = np.array([0])
    calibration, validation = (dataset.batch(split, first, R)[0][0].numpy() for split in ("train", "val"))
    assert shipped.shape == (channels, R, R) and np.isfinite(shipped).all()
    for found in (calibration, validation, int8):
        np.testing.assert_array_equal(found, shipped)
    if kind not in ("tall", "wide", "a line") and "turned" not in kind and "nonsense" not in kind:  # square ones
        still = RandomResizedCrop((1, 1), (1, 1))
        dataset.preparation, dataset.crop = replace(dataset.preparation, augment=still), 1.0
        exact = dataset.batch("val", first, 32)[0][0]  # so large that a JPEG is not read smaller
        for seed in range(4):
            trained = dataset.batch("train", first, 32, np.random.default_rng(seed))[0][0]
            assert any(torch.equal(x, exact) for x in (trained, trained.flip(2)))


@pytest.mark.parametrize("kind", SLOPES)
def test_more_than_8_bits_are_scaled_by_their_range(kind):
    assert np.abs(read(KINDS[kind]) - EIGHT[..., None]).max() <= 1


def test_16_bits_are_divided_by_257_and_rounded():
    np.testing.assert_array_equal(read(KINDS["16 bits, PNG"])[..., 0], np.round(GREY.astype(np.uint16) / 257))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (encoded((GREY / 65535 * 4095).astype(np.uint16)), "none above 4095: dark, or of 12 bits"),
        (tiff((GREY / 65535 * 4095).astype(np.uint16), most=3977), "none above 4095"),
        (tiff(GREY.astype(np.int32)), "32-bit whole numbers"),
        (tiff((GREY / 257).astype(np.float32)), "pixels from 0 to 255, where 0 to 1"),
        (tiff((GREY / 65535 - 0.5).astype(np.float32)), "pixels from -0.5 to 0.5"),
        (tiff(np.full((4, 4), np.nan, np.float32)), "no numbers"),
    ],
)
def test_what_cannot_be_known_is_refused_and_can_be_said(data, message):
    with pytest.raises(Damaged, match=message):
        read(data)
    if message != "no numbers":
        assert read(data, 4095).max() <= 255


def test_said_white_is_white_and_black_stays_black():
    twelve = (GREY / 65535 * 4095).astype(np.uint16)
    assert np.abs(read(encoded(twelve), 4095)[..., 0] - EIGHT).max() <= 1
    assert np.abs(read(tiff(twelve.astype(np.int32)), 4095)[..., 0] - EIGHT).max() <= 1
    assert np.abs(read(tiff((GREY / 257).astype(np.float32)), 255)[..., 0] - EIGHT).max() <= 1
    assert read(encoded(np.zeros((4, 4), np.uint16))).max() == 0
    assert read(b"P5 1 1 4095\n\0\x20", 4095).max() == 2  # a header that says it needs no more
    np.testing.assert_array_equal(read(encoded(RGB), 4095), RGB)  # 8 bits are 8 bits


def test_pictures_are_turned_upright():
    turned = {i: read(encoded(WIDE, exif=exif(i))) for i in range(1, 9)}
    np.testing.assert_array_equal(turned[1], WIDE)
    np.testing.assert_array_equal(turned[2], WIDE[:, ::-1])
    np.testing.assert_array_equal(turned[3], WIDE[::-1, ::-1])
    np.testing.assert_array_equal(turned[4], WIDE[::-1])
    np.testing.assert_array_equal(turned[5], WIDE.transpose(1, 0, 2))
    np.testing.assert_array_equal(turned[6], WIDE[::-1].transpose(1, 0, 2))
    np.testing.assert_array_equal(turned[7], WIDE[::-1, ::-1].transpose(1, 0, 2))
    np.testing.assert_array_equal(turned[8], WIDE[:, ::-1].transpose(1, 0, 2))
    np.testing.assert_array_equal(read(KINDS["TIFF turned"]), turned[6])
    np.testing.assert_array_equal(read(KINDS["WebP turned"]), turned[8])


def test_a_turned_jpeg_that_is_read_smaller_keeps_its_full_size():
    data = encoded(np.resize(RGB, (640, 480, 3)), "JPEG", exif=exif(6))
    seen = []
    image, size = read_picture(io.BytesIO(data), None, lambda size: seen.append(size) or 4)
    assert seen == [(640, 480)] and size == (640, 480) and image.size == (160, 120)


def test_an_absurdly_long_line_needs_no_absurd_memory():
    line = Image.fromarray(np.tile(np.arange(250, dtype=np.uint8), 200)[None])
    assert centre(line, 224, 0.875).size == (224, 224)


def test_calibration_images_are_of_all_folders_whatever_their_order(tmp_path):
    for label, name in enumerate(("a", "b", "c", "d")):
        (tmp_path / name).mkdir()
        for i in range(150):
            Image.new("L", (8, 8), 60 * label).save(tmp_path / name / f"{i:03}.png")
    how = item(0, None).preprocessing
    found = images_of_path(tmp_path, how)
    shares = [np.unique(part[:, 0, 0, 0].round(3), return_counts=True)[1] for part in (found.images, found.held_out)]
    assert len(found.images) == 256 and all(len(s) == 4 and np.ptp(s) <= 4 for s in shares)
    stack = np.sort(np.random.default_rng(0).standard_normal((600, *item().input_shape), dtype=np.float32), axis=0)
    picked = []
    for order in (np.arange(600), np.random.default_rng(1).permutation(600)):
        np.savez(tmp_path / "a.npz", images=stack[order])
        picked.append(images_of_path(tmp_path / "a.npz", how))
    np.testing.assert_array_equal(picked[0].images, picked[1].images)
    assert abs(picked[0].images.mean() - stack.mean()) < 0.1


def test_a_damaged_calibration_image_is_one_line(tmp_path):
    (tmp_path / "x.png").write_text("no picture")
    with pytest.raises(BadInput, match=r"x\.png is no image that can be read: no image"):
        images_of_path(tmp_path, item(0, None).preprocessing)
