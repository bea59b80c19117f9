"""References to data sets, as configurations and checkpoints hold them. No torch, so that a search can read them.

    digits                             built in
    cifar10:DIR                        a data set by name in the folder DIR
    folder:DIR?damaged=skip            options behind a question mark, joined with "&"

    damaged    "fail": a damaged image is an error that names it (default); "skip": it is named, counted and left out
    channels   1: colour images are converted to grey
    white      the value of white in grey images of more than 8 bits: 4095 for 12 bits in a file of 16

A relative DIR in a configuration is relative to the configuration's folder, in Python to the working directory. The
variable HWNAS_ROOT_NAME (as in HWNAS_ROOT_CIFAR10) replaces DIR: a checkpoint from elsewhere names a folder of there.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace
from pathlib import Path

from profilers.errors import BadInput

DAMAGED = ("fail", "skip")
_OPTIONS = "damaged=fail, damaged=skip, channels=1, channels=3, white=NUMBER above 0"


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

    def __str__(self) -> str:
        options = [f"damaged={self.damaged}"] if self.damaged != "fail" else []
        options += [f"channels={self.channels}"] if self.channels else []
        options += [f"white={self.white:.17g}"] if self.white else []
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
        if key == "damaged" and value in DAMAGED:
            found = replace(found, damaged=value)
        elif key == "channels" and value in ("1", "3"):
            found = replace(found, channels=int(value))
        elif key == "white" and (white := _positive(value)):
            found = replace(found, white=white)
        else:
            raise BadInput(f"option {item!r} in data set {text!r}", _OPTIONS)
    return found


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
