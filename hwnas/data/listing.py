"""Image files below a folder, and the folders that are classes, in a fixed order; anything else is one clear line.

What file managers leave behind is passed over, as are files whose content is no image. Symbolic links are followed to
files inside the data set's folder; elsewhere, and to folders, where the reference says links=follow.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from hwnas.data.kinds import is_image
from hwnas.data.names import is_rubbish, one_form, shortened
from hwnas.data.passed import NO_IMAGE, NO_TARGET, RUBBISH, PassedOver
from hwnas.data.reference import Reference
from profilers.errors import BadInput, FileProblem

LAYOUT = "DIR/train/CLASS/image files, and likewise DIR/val, DIR/test"
Classes = Mapping[str, Sequence[str]]  # the folders of each class, by its name in one form, sorted


@dataclass(frozen=True)
class Listing:
    """Image files of a split, as names below the data set's folder, and the class of each (n,)."""

    files: Sequence[str]
    labels: NDArray[np.int64]

    def keep(self, indices: NDArray[np.integer]) -> Listing:
        """Some of them."""
        return Listing([self.files[i] for i in indices], self.labels[indices])


@dataclass(frozen=True)
class Folder:
    """A folder of images as it is walked through.

    Args:
        reference: of the data set.
        root: where it is.
        passed: where what is passed over is kept.
    """

    reference: Reference
    root: Path
    passed: PassedOver

    @classmethod
    def of(cls, reference: Reference) -> Folder:
        """That of a reference."""
        return cls(reference, reference.folder, PassedOver())

    @property
    def follows(self) -> bool:
        """Whether links may lead out of it."""
        return self.reference.links == "follow"

    def images(self, folder: str = "") -> list[str]:
        """Names below the root of the images in a folder and in those in it, in order.

        Raises:
            BadInput: a link that may not be followed. FileProblem: a folder that may not be read.
        """
        found: list[str] = []
        above = PurePosixPath(folder)
        seen = {os.path.realpath(self.root / part) for part in (above, *above.parents)}  # links may make loops
        walk = os.walk(self.root / folder, onerror=_unreadable, followlinks=self.follows)
        for place, folders, names in walk:
            folders[:] = [
                f for f in sorted(folders) if self._is_wanted(Path(place, f)) and _is_new(Path(place, f), seen)
            ]
            found += [self._name(Path(place, n)) for n in sorted(names) if self._takes(Path(place, n))]
        return found

    def folders(self, folder: str = "") -> list[str]:
        """The names of the folders in one, sorted."""
        return [entry.name for entry in self._entries(folder) if entry.is_dir()]

    def loose(self, folder: str = "") -> str:
        """The name of an image straight in a folder, or ""."""
        return next((entry.name for entry in self._entries(folder) if is_image(Path(entry.path))), "")

    def classes(self, folder: str, least: int = 2) -> dict[str, list[str]]:
        """The class folders in a folder.

        Raises:
            BadInput: fewer than `least`, names that are not text, or images beside them.
        """
        place = self.root / folder
        if loose := self.loose(folder):
            raise BadInput(f"images lie straight in {place} ({loose})", LAYOUT, f"a folder for each class in {place}")
        names = self.folders(folder)
        if bad := [name for name in names if not name.isprintable()]:
            raise BadInput(f"the name of class folder {bad[0]!r} in {place}", "printable UTF-8")
        found: dict[str, list[str]] = {}
        for name in sorted(names, key=one_form):
            found.setdefault(one_form(name), []).append(name)
        if len(found) < least:
            word = f"class folder{'s' * (not found)}"
            raise BadInput(f"{len(found)} {word} in {place} ({shortened(names)})", f"{least} or more", LAYOUT)
        return found

    def check_links(self, folders: Sequence[str]) -> None:
        """BadInput for folders below the root that lead elsewhere, unless links are followed."""
        for folder in folders:
            if not self.follows and (self.root / folder).is_symlink():
                self._refuse(self.root / folder)

    def check_targets(self, files: Sequence[str]) -> None:
        """The same for files, wherever on their way a link is."""
        real = os.path.realpath(self.root)
        for path in () if self.follows else (self.root / name for name in files):
            if not Path(os.path.realpath(path)).is_relative_to(real):
                self._refuse(path)

    def _entries(self, folder: str) -> list[os.DirEntry[str]]:
        """What is in a folder but for rubbish, in the order of names."""
        try:
            with os.scandir(self.root / folder) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            _unreadable(error)
        return [entry for entry in found if self._is_known(entry.path, entry.name)]

    def _is_known(self, path: str | Path, name: str) -> bool:
        if is_rubbish(name):
            self.passed.add(RUBBISH, self._name(Path(path)))
            return False
        return True

    def _is_wanted(self, path: Path) -> bool:
        """Whether a folder or file is neither rubbish nor a link to nothing; BadInput if it is a link elsewhere."""
        if not self._is_known(path, path.name):
            return False
        if not path.is_symlink():
            return True
        if not self.follows and not self._leads_inside(path):
            self._refuse(path)
        if not path.exists():
            self.passed.add(NO_TARGET, self._name(path))
            return False
        return True

    def _takes(self, path: Path) -> bool:
        if not self._is_wanted(path):
            return False
        if not is_image(path):
            self.passed.add(NO_IMAGE, self._name(path))
            return False
        return True

    def _leads_inside(self, link: Path) -> bool:
        target = Path(os.path.realpath(link))
        return target.is_relative_to(os.path.realpath(self.root)) and target.is_file()

    def _refuse(self, link: Path) -> NoReturn:
        remedy = f"{replace(self.reference, links='follow')}, or copy what it leads to"
        raise BadInput(f"{link} is a link to {os.path.realpath(link)}", f"links to files in {self.root}", remedy)

    def _name(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()


def list_split(folder: Folder, split: str, classes: Classes) -> Listing:
    """The images of a published split, class by class, each in the order of names.

    Args:
        folder: the data set's.
        split: the split's, in it.
        classes: those of the training images; the split must have the same.

    Raises:
        BadInput: other classes, an empty one, a link that leads out of the folder.
    """
    found, place = folder.classes(split), folder.root / split
    for names, word in ((set(classes) - set(found), "lacks"), (set(found) - set(classes), "has more than train:")):
        if names:
            raise BadInput(f"{place} {word} class {min(names)}", shortened(classes))
    images = [[name for f in found[c] for name in folder.images(f"{split}/{f}")] for c in classes]
    if empty := next((c for c, names in zip(classes, images, strict=True) if not names), ""):
        raise empty_class(empty, place)
    labels = np.repeat(np.arange(len(images)), [len(names) for names in images])
    return Listing([name for names in images for name in names], labels)


def empty_class(name: str, place: Path) -> BadInput:
    """The error."""
    return BadInput(f"class {name} in {place} has no images", "image files", "add some, or remove it")


def check_root(folder: Folder, reference: Reference) -> None:
    """BadInput unless there is a folder DIR/train, as in published data sets."""
    root = folder.root
    if not root.is_dir():
        raise reference.missing(LAYOUT)
    if not (root / "train").is_dir():
        raise BadInput(f"data set {reference.name}: no folder train in {root}, which has {contents(folder)}", LAYOUT)


def contents(folder: Folder) -> str:
    """What a folder holds, for a message."""
    return shortened(folder.folders()) or "no folders"


def _is_new(folder: Path, seen: set[str]) -> bool:
    """Whether a folder was not walked through before."""
    real = os.path.realpath(folder)
    return real not in seen and not seen.add(real)  # type: ignore[func-returns-value]


def _unreadable(error: OSError) -> NoReturn:
    raise FileProblem(f"cannot read {error.filename}: {error.strerror}", remedy="check the permissions") from error
