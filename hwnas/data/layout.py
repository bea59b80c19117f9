"""How the user's own images lie in a folder: splits in folders, in lists, or none, which are then made here.

    splits   DIR/train/CLASS/…, DIR/val/…, DIR/test/…; also training, valid, validation, testing, in any case
    list     DIR/list.csv or what ?list= names, see `hwnas.data.lists`
    flat     DIR/CLASS/…

No torch: a recipe looks at folders too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hwnas.data.listing import LAYOUT, Folder, Listing, contents, empty_class
from hwnas.data.lists import find_lists, read_lists, split_of
from hwnas.data.made_splits import Images, completed, with_groups
from hwnas.data.names import one_form, plural, shortened
from hwnas.data.passed import EMPTY, PassedOver
from hwnas.data.reference import Reference
from profilers.errors import BadInput

ORDER = ("train", "val", "test")
ALLOWED = f"{LAYOUT}; DIR/CLASS/image files; or a list with file, class and split in DIR"


@dataclass(frozen=True)
class Layout:
    """A folder's images by split, before any is opened.

    Args:
        kind: "splits", "list" or "flat".
        listings: by split; "train" and "val" are always there.
        class_names: in the order of the labels.
        passed: what is no image of it.
        notes: on a list that was found, and on splits that are made here; a line each.
    """

    kind: str
    listings: Mapping[str, Listing]
    class_names: tuple[str, ...]
    passed: PassedOver
    notes: tuple[str, ...]


def find_layout(reference: Reference) -> Layout:
    """The layout of a reference's folder.

    Raises:
        BadInput: a folder that is missing or laid out in another way, an empty class, a group in two splits.
    """
    folder = Folder.of(reference)
    if folder.root.is_file():
        raise BadInput(f"{folder.root} is a file", ALLOWED, f"folder:{folder.root.parent}?list={folder.root.name}")
    if not folder.root.is_dir():
        raise reference.missing(ALLOWED)
    kind, images, found = _found(folder, reference)
    images = with_groups(images, reference)
    splits, made = completed(kind, images, reference)
    listings = {name: _listing(images, splits, name) for name in ORDER if name in splits}
    notes = tuple(line for line in (found, made) if line)
    return Layout(kind, listings, tuple(images.classes), folder.passed, notes)


def missing_classes(labels: Mapping[str, Collection[int]], classes: Sequence[str]) -> list[str]:
    """A line for each split that lacks classes."""
    lines = []
    for split, found in ((split, set(values)) for split, values in labels.items()):
        if lacks := [name for label, name in enumerate(classes) if label not in found]:
            lines.append(f"no {split} images of {plural(len(lacks), 'class', 'classes')}: {shortened(lacks)}")
    return lines


def _found(folder: Folder, reference: Reference) -> tuple[str, Images, str]:
    """The kind, the images, and a note or ""."""
    if reference.listed:
        return "list", _of_lists(folder, reference, reference.listed), ""
    splits = _split_folders(folder)
    if "train" in splits:
        return "splits", _of_splits(folder, splits), ""
    if lists := find_lists(folder.root):
        note = f"images and classes are those of {shortened(lists)} in {folder.root}"
        return "list", _of_lists(folder, reference, lists), note
    return "flat", _of_classes(folder), ""


# --- splits in folders ---------------------------------------------------------------------------------------------


def _split_folders(folder: Folder) -> dict[str, str]:
    """The folders of the splits; train only where it holds classes."""
    found: dict[str, str] = {}
    for name in folder.folders():
        split = split_of(name)
        if split in found:
            raise BadInput(f"both {found[split]} and {name} in {folder.root}", f"one folder of {split} images")
        if split and (split != "train" or folder.folders(name)):
            found[split] = name
    return found


def _of_splits(folder: Folder, splits: Mapping[str, str]) -> Images:
    folder.check_links(list(splits.values()))
    classes = folder.classes(splits["train"])
    rows = []
    for split in (name for name in ORDER if name in splits):
        found = folder.classes(splits[split], least=1)
        place = folder.root / splits[split]
        if more := set(found) - set(classes):
            raise BadInput(f"{place} has more than train: class {shortened(sorted(more))}", shortened(classes))
        for label, name in enumerate(classes):
            files = _of_class(folder, splits[split], found.get(name, ()))
            if not files and split == "train":
                raise empty_class(name, place)
            rows += [(file, label, split) for file in files]
    files, labels, of = (list(column) for column in zip(*rows, strict=True))
    return Images(files, labels, of, [""] * len(files), list(classes))


def _of_class(folder: Folder, place: str, names: Sequence[str]) -> list[str]:
    paths = [f"{place}/{name}" if place else name for name in names]
    folder.check_links(paths)
    return [file for path in paths for file in folder.images(path)]


# --- lists ---------------------------------------------------------------------------------------------------------


def _of_lists(folder: Folder, reference: Reference, names: Sequence[str]) -> Images:
    rows = read_lists(folder.root, names, "" if "{group}" in reference.group else reference.group)
    folder.check_targets([row.file for row in rows])
    if len({row.split == "" for row in rows}) > 1:
        raise BadInput(f"some of the lists {shortened(names)} in {folder.root} say no split", "a split for each image")
    classes = _sorted({row.label for row in rows})
    number = {name: i for i, name in enumerate(classes)}
    rows.sort(key=lambda row: (number[row.label], one_form(row.file)))
    _check_classes(folder.root, classes)
    return Images(
        [row.file for row in rows],
        [number[row.label] for row in rows],
        [row.split for row in rows],
        [row.group for row in rows],
        classes,
    )


def _sorted(labels: Collection[str]) -> list[str]:
    """Classes in order, that of numbers where all are."""
    return sorted(labels, key=int if all(name.isdecimal() for name in labels) else None)


def _check_classes(root: Path, classes: Sequence[str]) -> None:
    if len(classes) < 2:
        got = f"{plural(len(classes), 'class', 'classes')} in {root} ({shortened(classes)})"
        raise BadInput(got, f"2 or more, as {ALLOWED}")


# --- classes straight in the folder --------------------------------------------------------------------------------


def _of_classes(folder: Folder) -> Images:
    if loose := folder.loose():
        raise BadInput(f"images lie straight in {folder.root} ({loose})", ALLOWED)
    names: dict[str, list[str]] = defaultdict(list)
    for name in folder.folders():
        names[one_form(name)].append(name)
    found = {name: _of_class(folder, "", names[name]) for name in sorted(names)}
    for name in [name for name, files in found.items() if not files]:
        folder.passed.add(EMPTY, name)
        del found[name]
    _check_flat(folder, list(found))
    files = [(file, label) for label, name in enumerate(found) for file in found[name]]
    return Images([f for f, _ in files], [n for _, n in files], [""] * len(files), [""] * len(files), list(found))


def _check_flat(folder: Folder, classes: Sequence[str]) -> None:
    root = folder.root
    if not classes:
        raise BadInput(f"no images in {root}, which has {contents(folder)}", ALLOWED)
    loose = {name: folder.loose(name) for name in classes}
    if all(map(split_of, classes)):
        got = next((f"images lie straight in {root / name} ({x})" for name, x in loose.items() if x), "")
        raise BadInput(got or f"no folder train in {root}, which has {contents(folder)}", ALLOWED)
    deeper = set.intersection(*(set(folder.folders(name)) for name in classes))
    if deeper and not any(loose.values()):
        which = f"{shortened(classes)} in {root}"
        if len(classes) == 1:
            raise BadInput(
                f"one folder with images, {which}, has {shortened(sorted(deeper))}",
                ALLOWED,
                f"folder:{root / classes[0]}",
            )
        got = f"the folders {which} hold the same folders ({shortened(sorted(deeper))}), as splits do"
        raise BadInput(got, ALLOWED, "train, val and test as their names")
    _check_classes(root, classes)


def _listing(images: Images, splits: Sequence[str], name: str) -> Listing:
    which = [i for i, split in enumerate(splits) if split == name]
    return Listing([images.files[i] for i in which], np.array([images.labels[i] for i in which], np.int64))
