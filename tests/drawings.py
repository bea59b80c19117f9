"""Coloured drawings that a small network can learn: light shapes of any colour, place and size, a little turned, noisy.

    python tests/drawings.py DIR --layout flat

    splits   DIR/train/CLASS/…, DIR/val/CLASS/…, DIR/test/CLASS/…: 60, 20 and 20 of 100
    flat     DIR/CLASS/…
    list     DIR/images/… and DIR/list.csv with file, class and split

`oddities` mixes in what folders of people's own images hold; links lead to DIR-elsewhere, so that the data set is
folder:DIR?links=follow.
"""

from __future__ import annotations

import argparse
import csv
import math
import shutil
import unicodedata
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, features

Points = list[tuple[float, float]]

NAMES = ("circle", "cross", "star", "triangle", "square", "ring", "arrow", "moon")
ACCENTED = "étoile"  # what the star is called among oddities
LARGE = 9_500  # pixels of a side, just above Pillow's own limit
SPLITS = {"train": 0.6, "val": 0.2, "test": 0.2}
_FINER = 4  # drawn so many times larger, then reduced


def make(
    folder: Path | str,
    *,
    classes: int = 4,
    per_class: int = 100,
    size: int = 64,
    layout: str = "splits",
    oddities: bool = False,
    seed: int = 0,
) -> Path:
    """The drawings as PNG files in a folder that is empty or does not exist; the same ones for the same seed.

    Args:
        folder: where they go.
        classes: how many, 2 to 8.
        per_class: images of each.
        size: pixels of a side.
        layout: "splits", "flat" or "list".
        oddities: see above.
        seed: of everything.
    """
    root, rows = Path(folder), []
    for label, name in enumerate(_names(classes, oddities)):
        for i in range(per_class):
            split = split_of(i, per_class)
            place = {"splits": f"{split}/{name}", "flat": name, "list": "images"}[layout]
            path = root / place / f"{name}_{i:03}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            drawing(label, size, np.random.default_rng((seed, label, i))).save(path)
            rows.append((path.relative_to(root).as_posix(), name, split))
    if layout == "list":
        _write_list(root / "list.csv", rows, ";" if oddities else ",")
    if oddities:
        _mix_in(root, [root / file for file, *_ in rows], layout)
    return root


def split_of(i: int, per_class: int) -> str:
    """The split of the image of that number."""
    first = round(SPLITS["train"] * per_class)
    return "train" if i < first else "val" if i < first + round(SPLITS["val"] * per_class) else "test"


def drawing(label: int, size: int, rng: np.random.Generator) -> Image.Image:
    """One RGB image."""
    side = size * _FINER
    back, front, other = _colours(rng)
    image = Image.new("RGB", (side, side), back)
    pen = ImageDraw.Draw(image)
    pen.line([tuple(p) for p in rng.uniform(0, side, (2, 2))], other, max(1, side // 40))  # tells nothing
    radius = side * rng.uniform(0.25, 0.4)
    middle = rng.uniform(radius, side - radius, 2)
    _shape(pen, NAMES[label], middle, radius, rng.uniform(-0.5, 0.5), front, back)
    values = np.asarray(image.resize((size, size), Image.Resampling.BOX), np.float32)
    noisy = values + rng.normal(0, 10, values.shape)
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


def _names(classes: int, oddities: bool) -> list[str]:
    if not 2 <= classes <= len(NAMES):
        raise ValueError(f"{classes} classes; 2 to {len(NAMES)}")
    return [ACCENTED if oddities and name == "star" else name for name in NAMES[:classes]]


def _colours(rng: np.random.Generator) -> list[tuple[int, int, int]]:
    """Of the background, of the shape, which is lighter, and of the line, which is between them."""
    back, front = rng.integers(0, 130, 3), rng.integers(126, 256, 3)
    return [tuple(int(v) for v in colour) for colour in (back, front, (back + front) // 2)]


def _shape(pen: ImageDraw.ImageDraw, name: str, middle, radius: float, turn: float, front, back) -> None:
    if name in ("circle", "ring", "moon"):
        _disc(pen, middle, radius, front)
        inner = {"circle": None, "ring": (middle, 0.55), "moon": (middle + _at(turn, 0.5 * radius), 0.8)}[name]
        if inner:
            _disc(pen, inner[0], inner[1] * radius, back)
        return
    pen.polygon([tuple(middle + _at(angle + turn, r * radius)) for angle, r in _OUTLINES[name]], front)


def _disc(pen: ImageDraw.ImageDraw, middle, radius: float, colour) -> None:
    (x, y), r = middle, radius
    pen.ellipse((x - r, y - r, x + r, y + r), colour)


def _at(angle: float, radius: float) -> np.ndarray:
    return np.array([math.cos(angle), math.sin(angle)]) * radius


def _regular(corners: int, *radii: float) -> Points:
    """(angle, radius) of each corner; the radii by turns."""
    return [(2 * math.pi * i / corners, radii[i % len(radii)]) for i in range(corners)]


def _polar(points: Points) -> Points:
    return [(math.atan2(y, x), math.hypot(x, y)) for x, y in points]


_ARM = [(0.3, 0.3), (0.3, 1), (-0.3, 1), (-0.3, 0.3)]  # of the cross, four times by a quarter
_OUTLINES = {
    "triangle": _regular(3, 1),
    "square": _regular(4, 1),
    "star": _regular(10, 1, 0.42),
    "cross": [(angle + math.pi / 2 * i, r) for i in range(4) for angle, r in _polar(_ARM)],
    "arrow": _polar([(1, 0), (0.1, 0.8), (0.1, 0.3), (-1, 0.3), (-1, -0.3), (0.1, -0.3), (0.1, -0.8)]),
}


def _write_list(path: Path, rows: list[tuple[str, str, str]], delimiter: str) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows([("file", "class", "split"), *rows])


# --- oddities ------------------------------------------------------------------------------------------------------


def _mix_in(root: Path, files: list[Path], layout: str) -> None:
    _add_rubbish(files[0].parent, files[0])
    if layout == "list":
        return  # what a list does not name is not looked at
    first = [path for path in files if path.name.startswith(f"{NAMES[0]}_")]
    _rename(first)
    _link(root, first[6], next(p for p in reversed(files) if p.parent.name == NAMES[1]).parent)
    if layout == "splits":
        shutil.copy(first[7], first[-1])  # the same picture in train and test
        shutil.rmtree(root / "val" / NAMES[1])
        accented = root / "test" / ACCENTED
        if accented.is_dir():
            accented.rename(accented.with_name(unicodedata.normalize("NFD", ACCENTED)))


def _add_rubbish(folder: Path, image: Path) -> None:
    """What file managers and network storage leave behind."""
    (folder / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0 thumbnails")
    (folder / "desktop.ini").write_text("[.ShellClassInfo]\n")
    (folder / "._circle_000.png").write_bytes(b"\0\x05\x16\x07 resource fork")
    (folder / "notes.txt").write_text("taken in May\n")
    for name in ("@eaDir/circle_000.png", ".ipynb_checkpoints", "__MACOSX"):
        (folder / name).mkdir(parents=True)
    for copy in (
        "@eaDir/circle_000.png/SYNOPHOTO_THUMB_M.jpg",
        ".ipynb_checkpoints/a-checkpoint.png",
        "__MACOSX/a.png",
    ):
        Image.open(image).save(folder / copy)


def _rename(files: list[Path]) -> None:
    """Suffixes that are rare, missing or wrong, an animation, and a picture above Pillow's own limit."""
    for path, suffix, kind in zip(
        files, (".jfif", ".jpe", ".jpg", "", ".gif"), ("JPEG", "JPEG", "PNG", "PNG", "GIF"), strict=False
    ):
        _save_as(path, path.with_suffix(suffix), kind)
    if features.check("avif"):
        _save_as(files[5], files[5].with_suffix(".avif"), "AVIF")
    with Image.open(files[8]) as image:
        large = image.resize((LARGE, LARGE), Image.Resampling.NEAREST)
    files[8].unlink()
    large.save(files[8].with_suffix(".jpeg"), quality=60)


def _save_as(old: Path, new: Path, kind: str) -> None:
    with Image.open(old) as image:
        image.load()
    old.unlink()
    more = {"save_all": True, "append_images": [image.rotate(90), image.rotate(180)]} if kind == "GIF" else {}
    image.save(new, kind, **more)


def _link(root: Path, file: Path, folder: Path) -> None:
    """A file, and the folder of a class, are moved elsewhere and linked."""
    elsewhere = root.with_name(f"{root.name}-elsewhere").absolute()
    elsewhere.mkdir()
    for path in (file, folder):
        path.rename(elsewhere / path.name)
        path.symlink_to(elsewhere / path.name)


def _main() -> None:
    parser = argparse.ArgumentParser(description="Write a folder of drawings.")
    parser.add_argument("folder", type=Path)
    for name, value in (("classes", 4), ("per-class", 100), ("size", 64), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--layout", choices=("splits", "flat", "list"), default="splits")
    parser.add_argument("--oddities", action="store_true")
    print(make(**vars(parser.parse_args())))


if __name__ == "__main__":
    _main()
