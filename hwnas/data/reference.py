"""References to data sets, as configurations and checkpoints hold them. No torch, so that a search can read them.

    digits                             built in
    cifar10:DIR                        a data set by name in the folder DIR
    folder:DIR?damaged=skip            options behind a question mark, joined with "&"

    damaged    "fail": a damaged image is an error that names it (default); "skip": it is named, counted and left out
    channels   1: colour images are converted to grey
    white      the value of white in grey images of more than 8 bits: 4095 for 12 bits in a file of 16
    links      "follow": symbolic links may lead out of DIR, of files and folders; by default only to files inside
    list       the list in DIR that names files, classes and splits; several with a comma (train.csv,val.csv)
    group      images that stay together when splits are made: a column of the list, or a pattern of the file's name
               with {group}, where * is anything: group=patient{group}_*

links are for data sets that lie in folders, list and group for `folder` alone. In their values %, & and ? are written
%25, %26 and %3F.

A relative DIR in a configuration is relative to the configuration's folder, in Python to the working directory. The
variable HWNAS_ROOT_NAME (as in HWNAS_ROOT_CIFAR10) replaces DIR: a checkpoint from elsewhere names a folder of there.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from profilers.errors import BadInput

DAMAGED = ("fail", "skip")
_OPTIONS = "damaged=fail, damaged=skip, channels=1, channels=3, white=NUMBER above 0"
_FOLDERS = f"{_OPTIONS}, links=follow, list=FILE, group=COLUMN or PATTERN"
_LINKED = ("folder", "images", "imagenet", "cinic10")  # data sets that lie in folders and take links=follow


@dataclass(frozen=True)
class Reference:
    """A data set's name, its folder, and how its images are taken.

    `channels` 0 is the data set's own number, `white` 0 what the files say.
    """

    name: str
    root: Path | None = None
    damaged: str = "fail"
    channels: int = 0
    white: float = 0.0
    links: str = ""
    listed: tuple[str, ...] = ()
    group: str = ""

    def __str__(self) -> str:
        options = [f"damaged={self.damaged}"] if self.damaged != "fail" else []
        options += [f"channels={self.channels}"] if self.channels else []
        options += [f"white={self.white:.17g}"] if self.white else []
        options += [f"links={self.links}"] if self.links else []
        options += [f"list={','.join(map(_quoted, self.listed))}"] if self.listed else []
        options += [f"group={_quoted(self.group)}"] if self.group else []
        root = "" if self.root is None else f":{self.root}"
        return f"{self.name}{root}{'?' if options else ''}{'&'.join(options)}"

    @property
    def variable(self) -> str:
        """What may hold the folder instead."""
        return f"HWNAS_ROOT_{self.name.upper()}"

    @property
    def folder(self) -> Path:
        """The folder; BadInput where there is none."""
        if self.root is None:
            raise BadInput(f"data set {self.name} without a folder", f"{self.name}:DIR", f"{self.variable}=DIR")
        return self.root

    def missing(self, allowed: str, remedy: str = "") -> BadInput:
        """The error where the folder does not exist."""
        moved = f"{self.variable}=DIR, where it is now"
        if os.environ.get(self.variable):
            moved = f"another folder in {self.variable}, which names this one"
        remedy = f"{moved}, or {remedy}" if remedy else moved
        return BadInput(f"data set {self.name}: the folder {self.root} does not exist", allowed, remedy)

    def located(self) -> Reference:
        """With its folder absolute, that of the variable before its own."""
        root = os.environ.get(self.variable) or self.root
        return self if root is None else replace(self, root=Path(root).expanduser().absolute())


def parse_reference(text: str) -> Reference:
    """A reference from its text; BadInput for options that there are not."""
    place, mark, options = text.rpartition("?")
    name, _, root = (place if mark else text).partition(":")
    found = Reference(name, Path(root) if root else None)
    for item in options.split("&") if mark else []:
        key, _, value = item.partition("=")
        read = _OF_FOLDERS.get(key) if name in _WHERE.get(key, ()) else _READERS.get(key)
        if read is None or not (known := read(value)):
            raise BadInput(f"option {item!r} in data set {text!r}", _FOLDERS if name == "folder" else _OPTIONS)
        found = replace(found, **known)
    return found


def folder_reference(folder: Path, name: str = "images") -> Reference:
    """Of a folder that an option names, which may have options of a reference behind it: DIR?links=follow."""
    text = str(folder)
    reference = Reference(name, folder) if "?" not in text or folder.exists() else parse_reference(f"{name}:{text}")
    return replace(reference, root=reference.folder.expanduser().absolute())


def _quoted(text: str) -> str:
    return re.sub("[%&?]", lambda found: f"%{ord(found[0]):X}", text)


def _damaged(value: str) -> dict[str, Any]:
    return {"damaged": value} if value in DAMAGED else {}


def _channels(value: str) -> dict[str, Any]:
    return {"channels": int(value)} if value in ("1", "3") else {}


def _white(value: str) -> dict[str, Any]:
    return {"white": white} if (white := _positive(value)) else {}


def _links(value: str) -> dict[str, Any]:
    return {"links": value} if value == "follow" else {}


def _list(value: str) -> dict[str, Any]:
    names = tuple(map(unquote, value.split(",")))
    return {"listed": names} if all(names) else {}


def _group(value: str) -> dict[str, Any]:
    return {"group": unquote(value)} if value else {}


Reader = Callable[[str], dict[str, Any]]  # the field that a value sets; none where the value is not allowed
_READERS: Mapping[str, Reader] = {"damaged": _damaged, "channels": _channels, "white": _white}
_OF_FOLDERS: Mapping[str, Reader] = {"links": _links, "list": _list, "group": _group}
_WHERE: Mapping[str, tuple[str, ...]] = {"links": _LINKED, "list": ("folder",), "group": ("folder",)}


def _positive(text: str) -> float:
    """The number, or 0 if it is none."""
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if 0 < value < math.inf else 0.0


def resolve_reference(text: str, folder: Path) -> str:
    """The same reference with its folder absolute; a relative one is in `folder`."""
    found = parse_reference(text)
    if found.root is None:
        return text
    return str(replace(found, root=(folder / found.root.expanduser()).absolute()))
