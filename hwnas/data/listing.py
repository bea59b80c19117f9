"""Image files below DIR/SPLIT/CLASS/, found in a fixed order; what is laid out otherwise is one clear line.

Hidden names are passed over. Symbolic links are followed to files inside the data set's folder only.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwnas.data.decode import SUFFIXES
from profilers.errors import BadInput

LAYOUT = "DIR/train/CLASS/image files, and likewise DIR/val, DIR/test"


@dataclass(frozen=True)
class Listing:
    """Image files of a split, as names below the data set's folder, and the class of each (n,)."""

    files: Sequence[str]
    labels: NDArray[np.int64]

    def keep(self, indices: NDArray[np.integer]) -> Listing:
        """Some of them."""
        return Listing([self.files[i] for i in indices], self.labels[indices])


def find_classes(split: Path) -> list[str]:
    """The names of the class folders in a split's folder, sorted.

    Raises:
        BadInput: fewer than two, names that are not text, or images beside them.
    """
    if loose := _loose_image(split):
        raise BadInput(f"images lie straight in {split} ({loose})", LAYOUT, f"a folder for each class in {split}")
    names = sorted(p.name for p in _visible(split) if p.is_dir())
    if bad := [name for name in names if not name.isprintable()]:
        raise BadInput(f"the name of class folder {bad[0]!r} in {split}", "printable UTF-8")
    if len(names) < 2:
        raise BadInput(f"{len(names)} class folder{'s' * (not names)} in {split} {names}", "2 or more", LAYOUT)
    return names


def list_split(root: Path, folder: str, classes: Sequence[str]) -> tuple[Listing, dict[str, str]]:
    """The images of a split, class by class, each in the order of names; and files there that are no images.

    Args:
        root: the data set's folder.
        folder: the split's, below it.
        classes: those of the training images; the split must have the same.

    Raises:
        BadInput: other classes, an empty one, a symbolic link that leads out of `root`.
    """
    found = find_classes(root / folder)
    for names, word in ((set(classes) - set(found), "lacks"), (set(found) - set(classes), "has more than train:")):
        if names:
            raise BadInput(f"{root / folder} {word} class {min(names)}", ", ".join(classes))
    files: list[str] = []
    labels: list[int] = []
    non_images: dict[str, str] = {}
    for label, name in enumerate(classes):
        images, others = list_images(root, Path(folder) / name)
        if not images:
            hint = f"image files ({', '.join(SUFFIXES)})"
            raise BadInput(f"class {name} in {root / folder} is empty{_count(others)}", hint, "add some, or remove it")
        files += images
        labels += [label] * len(images)
        non_images |= dict.fromkeys(others, f"no image: allowed are {' '.join(SUFFIXES)}")
    return Listing(files, np.array(labels, np.int64)), non_images


def check_root(root: Path, name: str) -> None:
    """BadInput unless there is a folder DIR/train; says what lies there instead."""
    if not root.is_dir():
        raise BadInput(f"data set {name}: the folder {root} does not exist", LAYOUT)
    if (root / "train").is_dir():
        return
    if loose := _loose_image(root):
        raise BadInput(f"images lie straight in {root} ({loose})", LAYOUT)
    folders = sorted(p.name for p in _visible(root) if p.is_dir())
    if classes := [f for f in folders if _loose_image(root / f)]:
        hint = f"a folder train in {root}, and those folders in it"
        raise BadInput(f"the classes lie straight in {root} ({', '.join(classes[:3])})", LAYOUT, hint)
    raise BadInput(f"no folder train in {root}, which has {', '.join(folders[:5]) or 'no folders'}", LAYOUT)


def _visible(folder: Path) -> Iterator[Path]:
    return (p for p in folder.iterdir() if not p.name.startswith((".", "__MACOSX")))


def _loose_image(folder: Path) -> str:
    """The name of an image straight in a folder, or ""."""
    return min((p.name for p in _visible(folder) if p.suffix.lower() in SUFFIXES and p.is_file()), default="")


def list_images(root: Path, folder: Path) -> tuple[list[str], list[str]]:
    """Names below `root` of the images in a folder (of a class) and the folders in it, and of its other files."""
    images: list[str] = []
    others: list[str] = []
    for place, folders, names in os.walk(root / folder):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        for link in [n for n in [*folders, *names] if Path(place, n).is_symlink()]:
            _check_link(root, Path(place, link))
        for name in sorted(n for n in names if not n.startswith(".")):
            path = Path(place, name)
            is_image = path.suffix.lower() in SUFFIXES and path.is_file()  # no pipe or device
            (images if is_image else others).append(str(path.relative_to(root)))
    return images, others


def _check_link(root: Path, link: Path) -> None:
    target = link.resolve()
    if not target.is_relative_to(root.resolve()) or not target.is_file():
        raise BadInput(f"{link} is a link to {target}", f"links to files in {root}", "copy what it leads to")


def _count(others: Sequence[str]) -> str:
    return f" but for {len(others)} other file{'s' * (len(others) > 1)}" if others else ""
