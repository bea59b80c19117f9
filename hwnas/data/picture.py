"""One image file as the input of a network: read, turned upright, 8-bit colours, resized, the centre cut out.

Training, calibration and validation prepare images with this file, and its text is a part of every exported run.py: it
needs numpy and Pillow alone.

    orientation   as EXIF says; a nonsensical one is ignored
    transparency  dropped: the colours below it are taken, as torchvision's loader does
    16 bits       grey is divided by 257 and rounded; of colours Pillow keeps the upper 8 bits
    12 bits       in files of 16: 4095 is white where TIFF's BitsPerSample or MaxSampleValue says so, or `white` does;
                  else a picture without a value above 4095 is refused, for it may be such a one or a dark one
    32 bits       whole numbers need `white` or MaxSampleValue; floating-point ones are 0 to 1, or 0 to `white`
    white is 0    in TIFFs that say so: inverted
    animations    the first picture
    large         up to 200 million pixels; above 89 million reduced by 2, 4 or 8, so that the shorter side keeps 1,024
                  pixels where it can: a JPEG while it is decoded, others behind it; one at a time
    AVIF, HEIC    where Pillow has AVIF, and where pillow-heif is installed
"""

from __future__ import annotations

import contextlib
import importlib
import math
import threading
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

# Whatever the suffix says, for some published ones lie; Pillow would also run others' interpreters
FORMATS = ("JPEG", "PNG", "PPM", "BMP", "GIF", "TIFF", "WEBP", "AVIF", "HEIF")
MOST_PIXELS = 200_000_000  # of a picture, unless somebody has set another limit in Pillow
_WHOLE = 89_478_485  # Pillow's own limit; above, a picture is reduced while it is read
_KEPT = 1024  # pixels of the shorter side that reducing leaves, where it can
_LARGE = threading.Lock()  # large pictures are read one at a time
_BITS, _PHOTOMETRIC, _MOST, _ORIENTATION = 258, 262, 281, 274  # TIFF's tags
_WALL = 2**25  # pixels that a line of pixels may be resized to; beyond, only the part that stays is computed
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip

# Pillow warns of an image above its limit and refuses one of twice that; here the first is an error already.
warnings.simplefilter("ignore", Image.DecompressionBombWarning)
if Image.MAX_IMAGE_PIXELS == _WHOLE:
    Image.MAX_IMAGE_PIXELS = MOST_PIXELS
with contextlib.suppress(ImportError):
    importlib.import_module("pillow_heif").register_heif_opener()


class Damaged(Exception):
    """A file that cannot be read as an image, or only by guessing; the text says why."""


def read_picture(
    path: Any, white: float | None = None, reduction: Callable[[tuple[int, int]], int] = lambda _: 1
) -> tuple[Image.Image, tuple[int, int]]:
    """An upright RGB image, and the width and height that it has in full.

    Args:
        path: the file.
        white: the value of white where a picture has more than 8 bits; by default what the file says (see above).
        reduction: by how much at most a JPEG of that size may be shrunk (1, 2, 4 or 8) where that saves time.

    Raises:
        Damaged: no image, a truncated one, one of too many pixels, or one whose values can only be guessed.
        OSError: with an `errno`, where the operating system refuses to read it.
    """
    try:
        with Image.open(path, formats=formats()) as image, _turn(image.size):
            return _read(image, white, reduction)
    except (MemoryError, Damaged):
        raise
    except UnidentifiedImageError as error:
        raise Damaged(_lacking(path) or "no image") from error
    except FileNotFoundError as error:
        raise Damaged("missing") from error
    except Exception as error:  # whatever Pillow's many readers make of broken bytes
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise Damaged(str(error) or type(error).__name__) from error


def formats() -> tuple[str, ...]:
    """Those of `FORMATS` that Pillow has here."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def prepare(path: Any, how: Mapping[str, Any]) -> np.ndarray[Any, Any]:
    """(1, C, r, r), or as its layout says: an image file as the input, by the datasheet's section "preprocessing"."""
    image, _ = read_picture(path, how.get("white"))
    bicubic = str(how.get("interpolation")).startswith("bicubic")
    resampling = Image.Resampling.BICUBIC if bicubic else Image.Resampling.BILINEAR
    values = pixels(centre(image, how["size"], how["crop"], resampling), how["channels"])[None]
    return laid_out(normalised(values, how["mean"], how["std"]), how.get("layout", "NCHW, float32"))


def laid_out(images: np.ndarray[Any, Any], layout: str) -> np.ndarray[Any, Any]:
    """(n, C, h, w) float32 as a layout of the datasheet says, such as "NHWC, uint8"."""
    order, _, dtype = layout.partition(", ")
    if order == "NHWC":
        images = images.transpose(0, 2, 3, 1)
    if dtype not in ("float32", "float16", "uint8"):
        raise ValueError(f"a layout {layout!r}")
    return np.ascontiguousarray(np.rint(images) if dtype == "uint8" else images, dtype)


def centre(
    image: Image.Image, r: int, keep: float, resampling: Image.Resampling = Image.Resampling.BILINEAR
) -> Image.Image:
    """(r, r): the shorter side resized to r / keep, rounded up, and the centre cut out, as torchvision does it."""
    short = math.ceil(round(r / keep, 6))
    width, height = (int(short * side / min(image.size)) for side in image.size)
    left, top = round((width - r) / 2), round((height - r) / 2)
    if width * height <= _WALL:
        return image.resize((width, height), resampling).crop((left, top, left + r, top + r))
    x, y = image.width / width, image.height / height
    box = (left * x, top * y, min((left + r) * x, image.width), min((top + r) * y, image.height))
    return image.resize((r, r), resampling, box)


def pixels(image: Image.Image, channels: int) -> np.ndarray[Any, Any]:
    """(h, w, C) uint8."""
    values = np.asarray(image if channels == 3 else image.convert("L"))
    return values.reshape(*values.shape[:2], channels)


def normalised(values: np.ndarray[Any, Any], mean: Any, std: Any) -> np.ndarray[Any, Any]:
    """(n, C, h, w) float32 of (n, h, w, C) uint8."""
    values = values.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
    mean, std = (np.asarray(v, np.float32).reshape(1, -1, 1, 1) for v in (mean, std))
    return np.ascontiguousarray((values - mean) / std)


def _read(
    image: Image.Image, white: float | None, reduction: Callable[[tuple[int, int]], int]
) -> tuple[Image.Image, tuple[int, int]]:
    if (limit := Image.MAX_IMAGE_PIXELS) and image.width * image.height > limit:
        raise Damaged(f"{image.width} x {image.height} pixels, more than the limit of {limit}")
    size, reduced, deep = image.size, False, _is_deep(image)
    if image.format in ("JPEG", "MPO"):
        size = size[::-1] if _orientation(image) > 4 else size
        if (by := max(reduction(size), _needed(size))) > 1:
            before = image.size
            image.draft("RGB", (image.width // by, image.height // by))
            reduced = image.size != before
    image.load()
    if deep and white is not None:
        raise Damaged("16 bits a colour, of which Pillow keeps the upper 8: whether they hold white is not known")
    orientation = _orientation(image)  # behind load(): Pillow itself turns TIFFs there
    if not reduced:
        size = image.size[::-1] if orientation > 4 else image.size
        image = _reduced(image, ("RGB", "L"))  # before it is copied
    upright = _reduced(_colours(image, white), ("RGB",))
    if (turn := _UPRIGHT.get(orientation)) is not None:
        upright = upright.transpose(turn)
    return upright, size


def _reduced(image: Image.Image, modes: tuple[str, ...]) -> Image.Image:
    """A large picture of one of those modes reduced, any other as it is."""
    by = _needed(image.size)
    return image.reduce(by) if by > 1 and image.mode in modes else image


def _needed(size: tuple[int, int]) -> int:
    """By how much a picture of that size is reduced in any case: 1 unless it is large."""
    if size[0] * size[1] <= _WHOLE:
        return 1
    return next((by for by in (8, 4) if min(size) >= by * _KEPT), 2)


def _turn(size: tuple[int, int]) -> Any:
    """A context in which a picture of that size is read."""
    return _LARGE if _needed(size) > 1 else contextlib.nullcontext()


def _lacking(path: Any) -> str:
    """What must be installed to read a file that is no image to Pillow, or "" if nothing helps."""
    try:
        with contextlib.nullcontext(path) if hasattr(path, "read") else open(path, "rb") as stream:  # noqa: PTH123
            stream.seek(0)
            head = stream.read(12)
    except OSError:
        return ""
    if head[4:8] != b"ftyp":
        return ""
    if head[8:12] in (b"avif", b"avis"):
        return "an AVIF image, for which this needs: pip install 'pillow>=11.3'"
    known = head[8:12] in (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
    return "an HEIC image, for which this needs: pip install pillow-heif" if known else ""


def _orientation(image: Image.Image) -> int:
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # broken EXIF does not make the picture unreadable
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _is_deep(image: Image.Image) -> bool:
    """Whether colours, or grey with transparency, have 16 bits in the file; to be asked before it is loaded."""
    return image.mode in ("RGB", "RGBA", "LA", "CMYK") and any(
        ";16" in str(tile[3]) for tile in getattr(image, "tile", ())
    )


def _colours(image: Image.Image, white: float | None) -> Image.Image:
    if image.mode == "F" or image.mode.startswith("I"):
        return Image.fromarray(_levels(image, white)).convert("RGB")
    if "transparency" in image.info or image.mode == "RGBa":
        image = image.convert("RGBA")  # a palette's transparency is understood only this way
    return image.convert("RGB")


def _levels(image: Image.Image, white: float | None) -> np.ndarray[Any, Any]:
    """(h, w) uint8 of grey with more than 8 bits."""
    values, tags = np.asarray(image).astype(np.float64), getattr(image, "tag_v2", {})
    if not np.isfinite(values).all():
        raise Damaged("some pixels are no numbers")
    if image.format == "PPM":  # its header says the largest value, by which Pillow has scaled
        white = 65535.0
    if white is None:
        white = _white(image, values, tags)
        if values.min() < 0 or values.max() > white:
            reach = f"{values.min():.6g} to {values.max():.6g}"
            raise Damaged(f"pixels from {reach}, where 0 to {white:g} is expected; say what is white, as in ?white=255")
    levels = np.floor(values * (255 / white) + 0.5).clip(0, 255).astype(np.uint8)
    return 255 - levels if tags.get(_PHOTOMETRIC) == 0 else levels


def _white(image: Image.Image, values: np.ndarray[Any, Any], tags: Any) -> float:
    """What the file says of its largest value, or else its kind."""
    if image.mode == "F":
        return 1.0
    bits, most = _first(tags.get(_BITS)) or 16, _first(tags.get(_MOST))
    if most and most >= 255 and not most & (most + 1):  # other values are statistics of that one picture
        return float(most)
    if bits > 16:
        raise Damaged("32-bit whole numbers, and nothing says which is white; say it, as in ?white=65535")
    if bits == 16 and 0 < values.max() < 4096:
        raise Damaged("16-bit pixels, none above 4095: dark, or of 12 bits? say what is white, as in ?white=4095")
    return float(2**bits - 1)


def _first(value: Any) -> int:
    value = value[0] if isinstance(value, tuple) and value else value
    return int(value) if isinstance(value, (int, float)) else 0
