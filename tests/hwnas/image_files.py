"""Small data sets on disk, in the formats that they are published in; an image's grey level tells its class."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

STEP = 12  # grey levels between two classes


def picture(label: int, size: tuple[int, int] = (40, 30)) -> Image.Image:
    """One colour, so that JPEG keeps it to about one level."""
    return Image.new("RGB", size, (STEP * label + 6,) * 3)


def write_picture(path: Path, label: int, size: tuple[int, int] = (40, 30)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(label, size).save(path)


def write_folder(root: Path, counts: Mapping[str, int], classes: tuple[str, ...] = ("ant", "bee", "cat")) -> Path:
    """`counts` images a class by split."""
    for split, count in counts.items():
        for label, name in enumerate(classes):
            for i in range(count):
                write_picture(root / split / name / f"{i:02}.png", label)
    return root


def labels_of(images, mean, std) -> list[int]:
    """What class the (normalised) images show."""
    level = (images[:, 0].mean((1, 2)) * std[0] + mean[0]) * 255
    return [round((float(x) - 6) / STEP) for x in level]


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def levels(labels: np.ndarray, pixels: int) -> np.ndarray:
    """(n, 3 * pixels) uint8 of one level each."""
    return np.repeat((STEP * labels + 6).astype(np.uint8)[:, None], 3 * pixels, axis=1)


def write_cifar(root: Path, kind: str, monkeypatch) -> Path:
    """kind "10" or "100"; torchvision is told the MD5 digests of what was written. Returns the folder in `root`."""
    from torchvision import datasets

    cls = {"10": datasets.CIFAR10, "100": datasets.CIFAR100}[kind]
    place, key = root / cls.base_folder, {"10": "labels", "100": "fine_labels"}[kind]
    classes = [f"class {i}" for i in range(10)]
    place.mkdir(parents=True)

    def write(name: str, value) -> str:
        (place / name).write_bytes(pickle.dumps(value, protocol=2))
        return md5(place / name)

    files = {"train_list": [], "test_list": []}
    for attribute, found in files.items():
        for name, _ in getattr(cls, attribute):
            labels = np.arange(20) % 10
            found.append([name, write(name, {"data": levels(labels, 32 * 32), key: labels.tolist()})])
    monkeypatch.setattr(cls, "train_list", files["train_list"])
    monkeypatch.setattr(cls, "test_list", files["test_list"])
    name = cls.meta["filename"]
    monkeypatch.setattr(cls, "meta", cls.meta | {"md5": write(name, {cls.meta["key"]: classes})})
    return place


def write_stl10(root: Path, monkeypatch) -> None:
    from torchvision.datasets import STL10

    place = root / STL10.base_folder
    place.mkdir(parents=True)
    labels = np.arange(20) % 10
    for part in ("train", "test"):
        (place / f"{part}_X.bin").write_bytes(levels(labels, 96 * 96).tobytes())
        (place / f"{part}_y.bin").write_bytes((labels + 1).astype(np.uint8).tobytes())
    (place / "unlabeled_X.bin").write_bytes(b"\0" * 3 * 96 * 96)
    (place / "class_names.txt").write_text("\n".join(f"class {i}" for i in range(10)))
    for attribute in ("train_list", "test_list"):
        names = [name for name, _ in getattr(STL10, attribute)]
        monkeypatch.setattr(STL10, attribute, [[name, md5(place / name)] for name in names])


def write_flowers(root: Path, monkeypatch) -> None:
    from scipy.io import savemat
    from torchvision.datasets import Flowers102

    place = root / "flowers-102"
    labels = np.tile([1, 2, 5], 6)  # classes count from 1, images too
    for number, label in enumerate(labels, 1):
        write_picture(place / "jpg" / f"image_{number:05}.jpg", label - 1)
    savemat(place / "imagelabels.mat", {"labels": labels[None]})
    ids = np.arange(1, 19)
    savemat(place / "setid.mat", {"trnid": ids[None, :6], "valid": ids[None, 6:12], "tstid": ids[None, 12:]})
    known = {key: (name, md5(place / name)) for key, (name, _) in Flowers102._file_dict.items() if key != "image"}
    monkeypatch.setattr(Flowers102, "_file_dict", Flowers102._file_dict | known)


def write_pets(root: Path) -> None:
    place = root / "oxford-iiit-pet"
    (place / "annotations").mkdir(parents=True)
    for part, start in (("trainval", 0), ("test", 10)):
        lines = []
        for label, breed in enumerate(("Abyssinian", "great_pyrenees", "pug")):
            for i in range(start, start + 5):
                write_picture(place / "images" / f"{breed}_{i}.jpg", label)
                lines.append(f"{breed}_{i} {label + 1} {1 + (label > 0)} {label + 1}")
        (place / "annotations" / f"{part}.txt").write_text("\n".join(lines) + "\n")


def write_dtd(root: Path) -> None:
    place = root / "dtd" / "dtd"
    (place / "labels").mkdir(parents=True)
    for number, part in enumerate(("train", "val", "test")):
        lines = []
        for label, name in enumerate(("banded", "dotted", "zigzagged")):
            file = f"{name}/{name}_{number:04}.jpg"
            write_picture(place / "images" / file, label)
            lines.append(file)
        (place / "labels" / f"{part}1.txt").write_text("\n".join(lines) + "\n")


def write_aircraft(root: Path) -> None:
    data = root / "fgvc-aircraft-2013b" / "data"
    variants = ("A300B4", "Boeing 737-700", "Yak-42")
    data.mkdir(parents=True)
    (data / "variants.txt").write_text("\n".join(variants) + "\n")
    for number, part in enumerate(("train", "val", "test")):
        lines = []
        for label, name in enumerate(variants):
            image = f"{1000000 + 10 * number + label:07}"
            write_picture(data / "images" / f"{image}.jpg", label)
            lines.append(f"{image} {name}")
        (data / f"images_variant_{part}.txt").write_text("\n".join(lines) + "\n")
