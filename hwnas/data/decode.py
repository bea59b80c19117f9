"""Image files of a data set: read as every exported `run.py` reads them, with the errors of this project."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PIL import Image

from hwnas.data.picture import Damaged, read_picture
from profilers.errors import FileProblem

REDUCTIONS = (8, 4, 2)

Size = tuple[int, int]  # width, height
Reduction = Callable[[Size], int]


def whole(_: Size) -> int:
    """No reduction."""
    return 1


def read_image(path: Path, reduction: Reduction = whole, white: float | None = None) -> tuple[Image.Image, Size]:
    """An upright RGB image and the width and height that it has in full; the arguments are `read_picture`'s.

    Raises:
        Damaged: no image, a truncated one, one of too many pixels, or one whose values can only be guessed.
        FileProblem: the operating system refuses to read it.
    """
    try:
        return read_picture(path, white, reduction)
    except OSError as error:
        raise refused(path, error) from error
    except Damaged as error:
        if path.is_file() and not path.stat().st_size:
            raise Damaged("an empty file") from error
        raise


def refused(path: Path, error: OSError) -> FileProblem:
    """The error where the operating system refuses to read a file."""
    return FileProblem(f"cannot read {path}: {error.strerror}", remedy="check the disk and permissions")


__all__ = ["REDUCTIONS", "Damaged", "Reduction", "Size", "read_image", "read_picture", "refused", "whole"]
