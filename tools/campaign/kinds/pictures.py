"""Pictures for calibration: damaged ones of many formats, bombs, links, pipes, odd names; and arrays in an .npz."""

from __future__ import annotations

import hashlib
import io
import os
import struct
import zipfile
import zlib
from functools import partial
from pathlib import Path
from random import Random

import numpy as np

from tools.campaign.case import Case, Kind
from tools.campaign.mutations import of_bytes

FORMATS = {
    "png": "PNG", "jpg": "JPEG", "gif": "GIF", "bmp": "BMP", "tif": "TIFF", "webp": "WEBP", "ppm": "PPM", "ico": "ICO",
    "tga": "TGA", "pcx": "PCX", "dds": "DDS", "jp2": "JPEG2000", "sgi": "SGI", "dib": "DIB", "avif": "AVIF",
}  # fmt: skip
NAMES = ("a b", "\x1b[31m", "ü", "\u202eg", "x" * 240, "-rf", "\n", "%s", "\udcff", "=1", "'", "#")
HOW = {"size": 8, "channels": 3, "crop": 1.0, "interpolation": "bilinear", "mean": [0.5] * 3, "std": [0.25] * 3,
       "labels": [], "layout": "NCHW, float32"}  # fmt: skip


def _prepare(folder: Path) -> None:
    from PIL import Image

    (folder / "good").mkdir()
    for i in range(9):
        Image.new("RGB", (12, 10), (20 * i, 100, 50)).save(folder / "good" / f"{i}.png")
    (folder / "some").mkdir()
    picture = Image.effect_noise((40, 30), 60)
    for suffix, kind in FORMATS.items():
        try:
            picture.convert("RGB").save(folder / "some" / f"x.{suffix}", kind)
        except (KeyError, OSError):  # this Pillow lacks it
            continue
    np.savez(folder / "arrays.npz", images=np.zeros((12, 3, 8, 8), np.float32))


def _mutate(random: Random, prepared: Path, here: Path) -> Case:
    if random.random() < 0.2:
        return _arrays(random, prepared, here)
    place = here / "p"
    place.mkdir()
    for path in (prepared / "good").iterdir():
        os.link(path, place / path.name)
    what = random.choice((_damaged, _damaged, _damaged, _bomb, _bomb, _odd))(random, prepared, place)
    return Case(what, (partial(calibrated, Path("p")),), lambda i, out: _wrong(out))


def _arrays(random: Random, prepared: Path, here: Path) -> Case:
    what, data = of_bytes(random, (prepared / "arrays.npz").read_bytes())
    if random.random() < 0.4:
        stream = io.BytesIO()
        shape = random.choice(((0,), (10**9, 10**9), (-1, 3), (12, 3, 8, 8), (2**40,), (10**6, 3, 8, 8)))
        kind = random.choice(("<f4", "|O", "<M8[s]", "V8"))
        head = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}}}"
        member = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head) + 1) + head.encode() + b"\n" + bytes(9216)
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("images.npy", member)
        what, data = head, stream.getvalue()
    if random.random() < 0.1:
        os.mkfifo(here / "a.npz")
        what = "a pipe"
    else:
        (here / "a.npz").write_bytes(data)
    return Case(f"arrays: {what}", (partial(calibrated, Path("a.npz")),), lambda i, out: _wrong(out))


def _damaged(random: Random, prepared: Path, place: Path) -> str:
    path = random.choice(sorted((prepared / "some").iterdir()))
    what, data = of_bytes(random, path.read_bytes())
    suffix = path.suffix if random.random() < 0.8 else f".{random.choice(list(FORMATS))}"
    (place / f"x{suffix}").write_bytes(data)
    return f"{path.suffix} as {suffix}: {what}"


def _bomb(random: Random, prepared: Path, place: Path) -> str:
    """A PNG of many pixels, or with a text or profile that unpacks to much."""
    side = random.choice((1, 2_000, 20_000, 2**31 - 1))
    kind = random.choice((b"zTXt", b"iTXt", b"iCCP", b"IDAT", b"tEXt", b"eXIf"))
    packed = zlib.compress(bytes(random.choice((1, 10**6, 3 * 10**7))), 1)
    content = {b"zTXt": b"k\0\0", b"iTXt": b"k\0\1\0\0\0", b"iCCP": b"k\0\0"}.get(kind, b"") + packed
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, random.choice((0, 2, 6)), 0, 0, 0))]
    chunks += [(kind, content)] * random.choice((1, 1, 70))
    chunks += [(b"IDAT", zlib.compress(bytes(min(4 * side * side + side, 10**6)))), (b"IEND", b"")]
    data = b"".join(
        struct.pack(">I", len(x)) + name + x + struct.pack(">I", zlib.crc32(name + x)) for name, x in chunks
    )
    (place / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n" + data)
    return f"{kind!r} in {side} x {side}"


def _odd(random: Random, prepared: Path, place: Path) -> str:
    """What no picture is, under a picture's name; or a picture under an odd one."""
    path = place / "x.png"
    kind = random.choice(("pipe", "link out", "link to itself", "link to nothing", "folder", "zero", "empty", "name"))
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "empty":
        path.touch()
    elif kind == "name":
        name = random.choice(NAMES)
        os.link(prepared / "good" / "0.png", place / f"{name}.png")
        return f"{kind} {name!a:.40}"
    else:
        targets = {"link out": "/etc/passwd", "link to itself": "x.png", "zero": "/dev/zero"}
        path.symlink_to(targets.get(kind, "nothing"))
    return kind


def calibrated(path: Path) -> str:
    """A digest and the bounds of the calibration's images."""
    from hwnas.export.calibration import images_of_path

    found = images_of_path(path, HOW).images
    return f"{hashlib.sha256(found.tobytes()).hexdigest()} {found.min()} {found.max()}"


def _wrong(output: str) -> str:
    _, low, high = output.split()
    return "" if -1e6 < float(low) <= float(high) < 1e6 else f"images from {low} to {high}"


KIND = Kind("pictures", "pictures for calibration", _prepare, _mutate, short=20)
