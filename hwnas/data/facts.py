"""What is known of each image file: its content's digest, size, channels and damage; looked at once and kept.

The cache has one file for each folder. A fact holds while the file's size and time of change are the same, and
everything is looked at again where Pillow, or the code that reads pictures, is another one.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO, Any, NamedTuple

import PIL
from PIL import Image, ImageChops

from hwnas.data import picture
from hwnas.data.decode import REDUCTIONS, Damaged, read_picture, refused
from hwnas.data.threads import in_threads
from hwnas.fetch.cache import cache_folder
from profilers.errors import HwnasError
from profilers.files import read_bytes, read_json, sha256, write_json
from profilers.progress import track


class Fact(NamedTuple):
    """Of one file: bytes, time of change (ns), digest of its content, pixels, 1 or 3 channels, and damage or ""."""

    bytes: int
    changed: int
    digest: str
    width: int
    height: int
    channels: int
    damage: str


Facts = Mapping[str, Fact]
MISSING = Fact(-1, -1, "", 0, 0, 0, "missing")
_TYPES = (int, int, str, int, int, int, str)


def facts_of(root: Path, files: Sequence[str], white: float | None, label: str) -> Facts:
    """What is known of each file; those that are new or have changed are read.

    Args:
        root: the folder that the names are in.
        files: their names.
        white: see `hwnas.data.reference`.
        label: what the progress is called.

    Raises:
        FileProblem: the operating system refuses to read one.
    """
    path = cache_folder() / "checked" / f"{_state(root, white)}.json"
    known = _kept(path)
    new = [name for name in dict.fromkeys(files) if not _holds(f"{root}/{name}", known.get(name))]
    if new:
        known |= _look_at_all(root, new, white, label)
        with suppress(HwnasError):  # a cache that cannot be written costs another look
            write_json(path, known, indent=None)
    return {name: known[name] for name in files}


def _look_at_all(root: Path, files: Sequence[str], white: float | None, label: str) -> dict[str, Fact]:
    found = {}
    with track(len(files), label) as bar:
        for name, fact in zip(files, in_threads(partial(_look, white), (root / f for f in files)), strict=True):
            found[name] = fact
            bar.advance()
    return found


def _look(white: float | None, path: Path) -> Fact:
    try:
        with path.open("rb") as stream:
            state = os.fstat(stream.fileno())
            digest = hashlib.file_digest(stream, partial(hashlib.blake2b, digest_size=16)).hexdigest()
            stream.seek(0)
            return Fact(state.st_size, state.st_mtime_ns, digest, *_seen(stream, white, state.st_size))
    except FileNotFoundError:
        return MISSING
    except OSError as error:
        raise refused(path, error) from error


def _seen(stream: IO[bytes], white: float | None, size: int) -> tuple[int, int, int, str]:
    """Width, height, channels, and damage."""
    if not size:
        return 0, 0, 0, "an empty file"
    try:
        image, (width, height) = read_picture(stream, white, lambda _: REDUCTIONS[0])
    except Damaged as error:
        return 0, 0, 0, str(error)
    return width, height, 1 if _is_grey(image) else 3, ""


def _is_grey(image: Image.Image) -> bool:
    red, green, blue = image.split()
    return not any(ImageChops.difference(red, other).getbbox() for other in (green, blue))


def _holds(path: str, fact: Fact | None) -> bool:
    if fact is None:
        return False
    try:
        state = os.stat(path)  # noqa: PTH116 (a Path takes far longer)
    except OSError:
        return fact == MISSING
    return (state.st_size, state.st_mtime_ns) == (fact.bytes, fact.changed)


def _kept(path: Path) -> dict[str, Fact]:
    with suppress(HwnasError):
        known = read_json(path)
        if isinstance(known, dict):
            return {name: Fact(*values) for name, values in known.items() if _is_fact(values)}
    return {}


def _is_fact(values: Any) -> bool:
    return isinstance(values, list) and len(values) == len(_TYPES) and all(map(isinstance, values, _TYPES))


def _state(root: Path, white: float | None) -> str:
    """A digest of the folder, and of what decodes its files."""
    decoder = f"{PIL.__version__} {picture.formats()} {Image.MAX_IMAGE_PIXELS} {white}"
    code = sha256(read_bytes(Path(picture.__file__)))
    return sha256(f"{decoder} {code} {root}".encode(errors="surrogateescape"))
