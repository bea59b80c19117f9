"""How the user's own images lie in a folder: splits in folders, in lists, or none, which are then made here.

    splits   DIR/train/CLASS/…, DIR/val/…, DIR/test/…; also training, valid, validation, testing, in any case
    list     DIR/list.csv or what ?list= names, see `hwnas.data.lists`
    flat     DIR/CLASS/…

No torch: a recipe looks at folders too.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hwnas.data.facts import facts_of
from hwnas.data.listing import FOLLOW, LAYOUT, Folder, Listing, contents, empty_class
from hwnas.data.lists import find_lists, read_lists, split_of
from hwnas.data.names import group_finder, one_form, plural, shortened
from hwnas.data.partition import SHARES, joined, partition
from hwnas.data.passed import EMPTY, PassedOver
from hwnas.data.reference import Reference
from hwnas.data.splits import SEED, hold_out
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
        notes: what somebody who trains on it should know, a line each.
    """

    kind: str
    listings: Mapping[str, Listing]
    class_names: tuple[str, ...]
    passed: PassedOver
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Images:
    """Images (n,) with their labels, splits ("" for none yet), and groups ("" where there are none)."""

    files: list[str]
    labels: list[int]
    splits: list[str]
    groups: list[str]
    classes: list[str]


def find_layout(reference: Reference) -> Layout:
    """The layout of a reference's folder.

    Raises:
        BadInput: a folder that is missing or laid out in another way, an empty class, a group in two splits.
    """
    folder = Folder.of(reference)
    if not folder.root.is_dir():
        raise reference.missing(ALLOWED)
    kind, images = _found(folder, reference)
    images = _with_groups(images, reference)
    splits, notes = _completed(kind, images, reference)
    listings = {name: _listing(images, splits, name) for name in ORDER if name in splits}
    return Layout(kind, listings, tuple(images.classes), folder.passed, (*notes, *_missing(images, splits)))


def _found(folder: Folder, reference: Reference) -> tuple[str, _Images]:
    if reference.listed:
        return "list", _of_lists(folder, reference, reference.listed)
    splits = _split_folders(folder)
    if "train" in splits:
        return "splits", _of_splits(folder, splits)
    if lists := find_lists(folder.root):
        return "list", _of_lists(folder, reference, lists)
    return "flat", _of_classes(folder)


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


def _of_splits(folder: Folder, splits: Mapping[str, str]) -> _Images:
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
    return _Images(files, labels, of, [""] * len(files), list(classes))


def _of_class(folder: Folder, place: str, names: Sequence[str]) -> list[str]:
    paths = [f"{place}/{name}" if place else name for name in names]
    folder.check_links(paths)
    return [file for path in paths for file in folder.images(path)]


# --- lists ---------------------------------------------------------------------------------------------------------


def _of_lists(folder: Folder, reference: Reference, names: Sequence[str]) -> _Images:
    rows = read_lists(folder.root, names, "" if "{group}" in reference.group else reference.group)
    if folder.links != FOLLOW:
        _check_targets(folder.root, [row.file for row in rows])
    if len({row.split == "" for row in rows}) > 1:
        raise BadInput(f"some of the lists {shortened(names)} in {folder.root} say no split", "a split for each image")
    classes = _sorted({row.label for row in rows})
    number = {name: i for i, name in enumerate(classes)}
    rows.sort(key=lambda row: (number[row.label], one_form(row.file)))
    _check_classes(folder.root, classes)
    return _Images(
        [row.file for row in rows],
        [number[row.label] for row in rows],
        [row.split for row in rows],
        [row.group for row in rows],
        classes,
    )


def _sorted(labels: Collection[str]) -> list[str]:
    """Classes in order, that of numbers where all are."""
    return sorted(labels, key=int if all(name.isdecimal() for name in labels) else None)


def _check_targets(root: Path, files: Sequence[str]) -> None:
    real = os.path.realpath(root)
    for name in files:
        if not Path(target := os.path.realpath(root / name)).is_relative_to(real):
            remedy = f"{root}?links=follow, or copy what it leads to"
            raise BadInput(f"{root / name} is a link to {target}", f"links to files in {root}", remedy)


def _check_classes(root: Path, classes: Sequence[str]) -> None:
    if len(classes) < 2:
        raise BadInput(
            f"{plural(len(classes), 'class', 'classes')} in {root} ({shortened(classes)})", "2 or more", ALLOWED
        )


# --- classes straight in the folder --------------------------------------------------------------------------------


def _of_classes(folder: Folder) -> _Images:
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
    return _Images([f for f, _ in files], [n for _, n in files], [""] * len(files), [""] * len(files), list(found))


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
                f"one folder with images, {which}, has {shortened(sorted(deeper))}", ALLOWED, f"{root / classes[0]}"
            )
        got = f"the folders {which} hold the same folders ({shortened(sorted(deeper))}), as splits do"
        raise BadInput(got, ALLOWED, "train, val and test as their names")
    _check_classes(root, classes)


# --- splits that are made here -------------------------------------------------------------------------------------


def _with_groups(images: _Images, reference: Reference) -> _Images:
    """With the groups that a pattern finds in the files' names; the column of a list is there already."""
    if "{group}" not in reference.group:
        if reference.group and not any(images.groups):
            raise BadInput(f"group={reference.group} without a list", "a pattern with {group} in it, such as {group}_*")
        return images
    find = group_finder(reference.group)
    found = [find(name) for name in images.files]
    if lost := [name for name, group in zip(images.files, found, strict=True) if group is None]:
        got = f"{plural(len(lost), 'name')} do not fit group={reference.group} ({shortened(lost)})"
        raise BadInput(got, "a pattern that every image's name fits")
    return _Images(images.files, images.labels, images.splits, [group or "" for group in found], images.classes)


def _completed(kind: str, images: _Images, reference: Reference) -> tuple[list[str], list[str]]:
    """The split of each image, and what is to be said of it."""
    splits = list(images.splits)
    if "" in splits:
        splits = _made(images, reference, range(len(splits)), SHARES)
        counts = Counter(splits)
        shares = ", ".join(f"{counts[name]:,} {name}" for name in ORDER)
        return splits, [
            f"{reference.root} has no splits: made here by the images' content: {shares}{_together(images)}"
        ]
    _check_groups(images)
    if "train" not in splits:
        raise BadInput(f"no train images in {reference.root}", ALLOWED)
    if "val" in splits:
        return splits, []
    train = [i for i, split in enumerate(splits) if split == "train"]
    if kind == "splits" and not any(images.groups):
        held = {train[i] for i in hold_out(np.array([images.labels[i] for i in train]))[1]}
        made = ["val" if i in held else "train" for i in train]
    else:
        made = _made(images, reference, train, {"train": 4, "val": 1})
    for i, split in zip(train, made, strict=True):
        splits[i] = split
    note = f"{reference.root} has no validation images: {made.count('val'):,} of {len(train):,} train images are taken"
    return splits, [f"{note}{_together(images)}"] if kind == "list" or any(images.groups) else []


def _made(images: _Images, reference: Reference, which: Sequence[int], shares: Mapping[str, int]) -> list[str]:
    """Splits of some of the images, in which those of one group, and those of the same content, are together."""
    files = [images.files[i] for i in which]
    facts = facts_of(reference.folder, files, reference.white or None, f"looking at the images of {reference.name}")
    contents = [facts[name].digest or one_form(name) for name in files]
    groups = [images.groups[i] or content for i, content in zip(which, contents, strict=True)]
    made = partition([images.labels[i] for i in which], joined(groups, contents), shares)
    lost = {images.labels[i] for i in which} - {
        images.labels[i] for i, s in zip(which, made, strict=True) if s == "train"
    }
    if lost:
        name = images.classes[min(lost)]
        raise BadInput(
            f"the groups leave no train image of class {name}", "2 or more groups a class", "splits of your own"
        )
    return made


def _together(images: _Images) -> str:
    groups = len(set(images.groups) - {""})
    return f", {plural(groups, 'group')} kept together; seed {SEED}" if groups else f"; seed {SEED}"


def _check_groups(images: _Images) -> None:
    """BadInput where one group is in two splits."""
    places: dict[str, str] = {}
    for group, split, name in zip(images.groups, images.splits, images.files, strict=True):
        if group and places.setdefault(group, split) != split:
            raise BadInput(f"group {group} is in {places[group]} and in {split} ({name})", "each group in one split")


def _missing(images: _Images, splits: Sequence[str]) -> list[str]:
    """A line for each split that lacks classes."""
    lines = []
    for split in (name for name in ORDER if name in splits):
        has = {label for label, found in zip(images.labels, splits, strict=True) if found == split}
        if lacks := [name for label, name in enumerate(images.classes) if label not in has]:
            lines.append(f"no {split} images of {plural(len(lacks), 'class', 'classes')}: {shortened(lacks)}")
    return lines


def _listing(images: _Images, splits: Sequence[str], name: str) -> Listing:
    which = [i for i, split in enumerate(splits) if split == name]
    return Listing([images.files[i] for i in which], np.array([images.labels[i] for i in which], np.int64))
