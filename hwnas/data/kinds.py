"""Which files are images: those with an image's suffix, and others whose first bytes are an image's."""

from __future__ import annotations

import re
from pathlib import Path

_PLAIN = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".ppm", ".pgm", ".bmp", ".tif", ".tiff", ".gif")
SUFFIXES = {*_PLAIN, ".webp", ".avif", ".heic", ".heif"}
_HEAD = 18  # bytes that tell
_STARTS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*")
_BRANDS = (b"avif", b"avis", b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")  # ISO/IEC 14496-12
_NETPBM = re.compile(rb"P[1-6]\s+(#|\d+\s)")
_BMP_HEADERS = (12, 40, 52, 56, 64, 108, 124)  # bytes, of its versions


def is_image(path: Path) -> bool:
    """Whether a regular file is to be opened as an image; one with an image's suffix may turn out to be damaged."""
    if not path.is_file():
        return False
    return path.suffix.lower() in SUFFIXES or _starts_as_image(path)


def _starts_as_image(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD)
    except OSError:
        return False
    is_webp = head[:4] == b"RIFF" and head[8:12] == b"WEBP"
    is_boxed = head[4:8] == b"ftyp" and head[8:12] in _BRANDS
    is_bmp = head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS
    return head.startswith(_STARTS) or is_webp or is_boxed or is_bmp or _NETPBM.match(head) is not None
