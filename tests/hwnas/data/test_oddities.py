"""What folders of people's own images hold besides plain images, and the line that each gives."""

from __future__ import annotations

import importlib
import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from hwnas.data import get_dataset, picture
from hwnas.data.augment import Centre, RandomResizedCrop
from hwnas.data.kinds import is_image
from hwnas.data.names import is_rubbish, shortened
from hwnas.data.picture import Damaged, prepare, read_picture
from hwnas.export.calibration import images_of_path
from hwnas.export.engines import ENGINES, script
from hwnas.export.labelled import LabelledFolder
from profilers.base import Options
from profilers.errors import BadInput, FileProblem
from tests.hwnas.exporting import item
from tests.hwnas.image_files import picture as one_colour
from tests.hwnas.image_files import write_picture


def encoded(format_: str, **options) -> bytes:
    stream = io.BytesIO()
    one_colour(2).save(stream, format_, **options)
    return stream.getvalue()


# --- what is passed over -------------------------------------------------------------------------------------------

RUBBISH = ("Thumbs.db", "desktop.ini", "._00.png", ".DS_Store", "@eaDir", ".ipynb_checkpoints", "__MACOSX")


def test_rubbish_and_text_are_passed_over_in_one_line(root, capsys):
    place = root / "train" / "cat"
    for name in RUBBISH[:4]:
        shutil.copy(place / "00.png", place / name)
    for name in RUBBISH[4:]:
        write_picture(place / name / "00.png", 2)
        write_picture(root / "train" / name / "00.png", 2)  # no class
    (place / "notes.txt").write_text("taken in May")
    (place / "boxes.json").write_text("{}")
    dataset = get_dataset(f"folder:{root}")
    assert dataset.size("train") + dataset.size("val") == 30 and dataset.class_names == ("ant", "bee", "cat")
    first, *others = capsys.readouterr().err.splitlines()
    assert first == (
        f"hwnas: passed over in {root}: 10 items left by file managers and editors (train/.ipynb_checkpoints, "
        "train/@eaDir, … (10 in all)); 2 items whose content is no image (train/cat/boxes.json, train/cat/notes.txt)"
    )
    assert not [line for line in others if "passed over" in line]


def test_folders_without_images_are_no_classes_where_classes_lie_straight_in_the_folder(root, capsys):
    for number, path in enumerate(root.rglob("*.png")):
        write_picture(path, number % 20, (4, 4 + number // 20))
    (root / "train" / "labels").mkdir()
    (root / "train" / "labels" / "a.xml").write_text("<a/>")
    dataset = get_dataset(f"folder:{root / 'train'}")
    assert dataset.class_names == ("ant", "bee", "cat")
    assert (
        "1 item whose content is no image (labels/a.xml); 1 item without an image inside (labels)"
        in capsys.readouterr().err
    )


def test_calibration_and_validation_folders_pass_over_the_same(tmp_path, capsys):
    for label, name in enumerate("01"):
        for i in range(6):
            write_picture(tmp_path / name / f"{i}.png", label)
        write_picture(tmp_path / name / "@eaDir" / "0.png", label)
        (tmp_path / name / "notes.txt").write_text("")
    (tmp_path / "0" / "a picture").write_bytes(encoded("PNG"))
    how = item(0, None).preprocessing
    found = images_of_path(tmp_path, how)
    assert len(found.images) + len(found.held_out) == 13
    files, labels, _ = LabelledFolder(tmp_path, how).listing
    assert len(files) == 13 and labels.tolist() == [0] * 7 + [1] * 6
    rubbish, text = "(0/@eaDir, 1/@eaDir)", "(0/notes.txt, 1/notes.txt)"
    line = f"2 items left by file managers and editors {rubbish}; 2 items whose content is no image {text}"
    assert capsys.readouterr().err == f"hwnas: passed over in {tmp_path}: {line}\n" * 2


def test_a_folder_that_may_not_be_read_is_an_error_of_the_system(root, monkeypatch):
    import os

    scan = os.scandir
    hidden = str(root / "train" / "cat")

    def scandir(path):
        if str(path) == hidden:
            raise PermissionError(13, "Permission denied", hidden)
        return scan(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(FileProblem, match=r"cannot read .*cat: Permission denied; try: check the permissions"):
        get_dataset(f"folder:{root}")


def test_many_names_are_shortened_with_their_number():
    names = [f"class {i}" for i in range(1000)]
    assert shortened(names) == "class 0, class 1, class 2, class 3, class 4, … (1,000 in all)"
    assert shortened(names[:5]) == ", ".join(names[:5])
    assert is_rubbish("THUMBS.DB") and not is_rubbish("thumbs")


# --- images whatever their names say -------------------------------------------------------------------------------

KINDS = {
    "a.jfif": encoded("JPEG", quality=95),
    "b.jpe": encoded("JPEG", quality=95),
    "c.jpg": encoded("PNG"),
    "d": encoded("PNG"),
    "e.gif": encoded("GIF", save_all=True, append_images=[one_colour(9), one_colour(0)]),
    "f.dat": encoded("WEBP", lossless=True),
    "g.backup": encoded("TIFF"),
    "h.img": encoded("BMP"),
    "i.x": encoded("PPM"),
}


@pytest.mark.parametrize("name", KINDS)
def test_an_image_is_one_by_its_content(root, name):
    path = root / "test" / "cat" / name
    path.write_bytes(KINDS[name])
    dataset = get_dataset(f"folder:{root}")
    index = dataset._files["test"].index(f"test/cat/{name}")
    images, labels = dataset.batch("test", np.array([index]), 8)
    level = float(images[0, 0].mean() * dataset.std[0] + dataset.mean[0]) * 255
    assert labels.tolist() == [2] and round((level - 6) / 12) == 2


def test_text_that_starts_like_an_image_is_none(tmp_path):
    for name, text in (("a.txt", b"BMW and others"), ("b.txt", b"P5 is a part"), ("c", b"GIF files"), ("d", b"")):
        (tmp_path / name).write_bytes(text)
        assert not is_image(tmp_path / name)


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF")
def test_avif_is_read_where_pillow_has_it():
    image, size = read_picture(io.BytesIO(encoded("AVIF", quality=95)))
    assert size == (40, 30) and abs(np.asarray(image).mean() - 30) < 2


def box(brand: bytes) -> bytes:
    return b"\0\0\0\x18ftyp" + brand + b"\0\0\0\0mif1" + bytes(64)


@pytest.mark.parametrize(
    ("brand", "message"),
    [(b"heic", "an HEIC image, for which this needs: pip install pillow-heif"), (b"avif", "an AVIF image, for which")],
)
def test_what_is_not_installed_is_named(root, monkeypatch, brand, message):
    monkeypatch.setattr(picture, "FORMATS", ("PNG", "JPEG"))
    (root / "train" / "cat" / "phone.heic").write_bytes(box(brand))
    with pytest.raises(BadInput, match=rf"1 damaged image in .*: train/cat/phone\.heic \({message}"):
        get_dataset(f"folder:{root}")
    with pytest.raises(Damaged, match=message):
        read_picture(root / "train" / "cat" / "phone.heic")


def test_another_installed_reader_is_used(monkeypatch):
    called = []
    reader = type("pillow_heif", (), {"register_heif_opener": staticmethod(lambda: called.append(1))})
    monkeypatch.setitem(__import__("sys").modules, "pillow_heif", reader)
    importlib.import_module("runpy").run_path(picture.__file__)
    assert called == [1]


# --- links ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def linked(root):
    """A file and a class folder are elsewhere, and a folder in a class leads back to the data set."""
    elsewhere = root.parent / "elsewhere"
    elsewhere.mkdir()
    for path in (root / "train" / "ant" / "00.png", root / "test" / "bee"):
        path.rename(elsewhere / path.name)
        path.symlink_to(elsewhere / path.name)
    return root


def test_links_elsewhere_are_followed_when_the_user_says_so(linked):
    (linked / "train" / "ant" / "again").symlink_to(linked)
    (linked / "train" / "ant" / "itself").symlink_to(linked / "train" / "ant")
    (linked / "train" / "cat" / "gone.png").symlink_to(linked / "nowhere.png")
    dataset = get_dataset(f"folder:{linked}?links=follow")
    assert [dataset.size(s) for s in dataset.splits] == [24, 6, 6]
    assert dataset.name == f"folder:{linked}?links=follow"


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_links_elsewhere_are_refused_otherwise(linked, kind):
    if kind == "folder":
        (linked / "train" / "ant" / "00.png").unlink()
    name = {"file": "train/ant/00.png", "folder": "test/bee"}[kind]
    remedy = rf"try: folder:{linked}\?damaged=skip&links=follow, or copy what it leads to"
    with pytest.raises(BadInput, match=rf"{name} is a link to .*elsewhere.*; allowed: links to files in .*; {remedy}"):
        get_dataset(f"folder:{linked}?damaged=skip")


def test_a_folder_of_an_option_takes_links_too(linked):
    how = item(0, None).preprocessing
    with pytest.raises(BadInput, match=r"try: images:.*\?links=follow, or copy"):
        images_of_path(linked, how)
    assert len(images_of_path(Path(f"{linked}?links=follow"), how).images) == 27


# --- large pictures ------------------------------------------------------------------------------------------------


def test_large_pictures_are_reduced_alike_in_training_and_in_run_py(tmp_path, monkeypatch):
    monkeypatch.setattr(picture, "_WHOLE", 1000)
    monkeypatch.setattr(picture, "_KEPT", 8)
    values = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)
    large = Image.fromarray(values).resize((96, 64))
    for form, options in (("PNG", {}), ("JPEG", {"quality": 95})):
        path = tmp_path / f"large.{form.lower()}"
        large.save(path, **options)
        image, size = read_picture(path)
        assert size == (96, 64) and image.size == (12, 8)
        assert Centre(8).apply(image, size).size == (8, 8)
        view = RandomResizedCrop().view(np.full(23, 0.5), 8)
        assert view.apply(image, size).size == (8, 8)
        how = item(0, None).preprocessing
        scope: dict = {"__name__": "run"}
        exec(compile(script(ENGINES["onnx"], Options(), ["model.onnx"]), "run.py", "exec"), scope)
        scope |= {"_WHOLE": 1000, "_KEPT": 8}
        np.testing.assert_array_equal(scope["prepare"](path, how), prepare(path, how))
    assert picture._needed((1, 2000)) == 2 and picture._needed((30, 34)) == 2 and picture._needed((10, 100)) == 1


@pytest.mark.filterwarnings("ignore:Image size")  # pytest resets filters
def test_the_limit_is_200_million_pixels(tmp_path):
    assert Image.MAX_IMAGE_PIXELS == picture.MOST_PIXELS == 200_000_000
    header = b"P5 20001 10000 255\n"
    (tmp_path / "a.pgm").write_bytes(header)
    with pytest.raises(Damaged, match="20001 x 10000 pixels, more than the limit of 200000000"):
        read_picture(tmp_path / "a.pgm")
