"""Splits of the user's own images that the folder does not have: test and validation images, or the latter alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hwnas.data.facts import facts_of
from hwnas.data.names import group_finder, one_form, plural, shortened
from hwnas.data.partition import SHARES, joined, partition
from hwnas.data.reference import Reference
from hwnas.data.splits import SEED, hold_out
from profilers.errors import BadInput


@dataclass(frozen=True)
class Images:
    """Images (n,) with their labels, splits ("" for none yet), and groups ("" where there are none)."""

    files: list[str]
    labels: list[int]
    splits: list[str]
    groups: list[str]
    classes: list[str]


def with_groups(images: Images, reference: Reference) -> Images:
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
    return replace(images, groups=[group or "" for group in found])


def completed(kind: str, images: Images, reference: Reference) -> tuple[list[str], str]:
    """The split of each image, and a note on those that are made here, or "".

    Args:
        kind: of the layout. In "splits" without groups, validation images are held out as they always were.
        images: of which all or none have a split.
        reference: of the data set.

    Raises:
        BadInput: a group in two splits, no train images, or groups that leave none of a class.
    """
    if "" in images.splits:
        splits = _made(images, reference, range(len(images.files)), SHARES)
        shares = ", ".join(f"{splits.count(name):,} {name}" for name in SHARES)
        return splits, f"{reference.root} has no splits: made here by the images' content: {shares}; {_how(images)}"
    _check_groups(images)
    if "train" not in images.splits:
        raise BadInput(f"no train images in {reference.root}", "train, val and test images")
    return _with_val(kind, images, reference)


def _with_val(kind: str, images: Images, reference: Reference) -> tuple[list[str], str]:
    """The same where there may be no validation images."""
    splits = list(images.splits)
    train = [i for i, split in enumerate(splits) if split == "train"]
    if "val" in splits:
        return splits, ""
    if kind == "splits" and not any(images.groups):
        made = _held_out([images.labels[i] for i in train])
    else:
        made = _made(images, reference, train, {"train": 4, "val": 1})
    for i, split in zip(train, made, strict=True):
        splits[i] = split
    taken = f"{made.count('val'):,} of {len(train):,} train images are taken"
    return splits, f"{reference.root} has no validation images: {taken}; {_how(images)}"


def _held_out(labels: Sequence[int]) -> list[str]:
    held = set(hold_out(np.array(labels))[1].tolist())
    if not held:
        raise BadInput("every class in train has one image, so none can be held out", "2 or more images a class")
    return ["val" if i in held else "train" for i in range(len(labels))]


def _made(images: Images, reference: Reference, which: Sequence[int], shares: Mapping[str, int]) -> list[str]:
    """Splits of some of the images, in which those of one group, and those of the same content, are together."""
    files = [images.files[i] for i in which]
    facts = facts_of(reference.folder, files, reference.white or None, f"looking at the images of {reference.name}")
    contents = [facts[name].digest or one_form(name) for name in files]
    groups = [images.groups[i] or content for i, content in zip(which, contents, strict=True)]
    made = partition([images.labels[i] for i in which], joined(groups, contents), shares)
    _check_made(images, which, made, shares)
    return made


def _check_made(images: Images, which: Sequence[int], made: Sequence[str], shares: Mapping[str, int]) -> None:
    """BadInput for a split without images, or a class without train images."""
    unit = "groups" if any(images.groups) else "images"
    allowed = f"{len(shares)} or more {unit} a class"
    if empty := [split for split in shares if split not in made]:
        raise BadInput(f"too few {unit} for {' and '.join(empty)} images", allowed, "splits of your own")
    trained = {images.labels[i] for i, split in zip(which, made, strict=True) if split == "train"}
    if lost := {images.labels[i] for i in which} - trained:
        name = images.classes[min(lost)]
        raise BadInput(f"the {unit} leave no train image of class {name}", allowed, "splits of your own")


def _how(images: Images) -> str:
    groups = len(set(images.groups) - {""})
    return f"{plural(groups, 'group')} kept together, seed {SEED}" if groups else f"seed {SEED}"


def _check_groups(images: Images) -> None:
    """BadInput where one group is in two splits."""
    places: dict[str, str] = {}
    for group, split, name in zip(images.groups, images.splits, images.files, strict=True):
        if group and places.setdefault(group, split) != split:
            raise BadInput(f"group {group} is in {places[group]} and in {split} ({name})", "each group in one split")
