r"""Lists of images: CSV or text, a line each with its file, class, split and group; only the file must be there.

delimiter   tab, semicolon, comma, |, or blanks, whichever gives every line equally many fields
header      found by the names of columns, of which several are known for each; without one, columns are told by
            what they hold
class       without such a column: the folder that the file lies in
split       without such a column: the list's name (train.csv), or none
files       are relative to the list's folder, with / or \, and none lies outside the data set's folder
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

from hwnas.data.names import one_form, shortened
from profilers.errors import BadInput
from profilers.files import read_text

SUFFIXES = (".csv", ".tsv", ".txt", ".lst")
SPLITS = {
    **dict.fromkeys(("train", "training", "tr"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing", "eval"), "test"),
}
_COLUMNS = {
    "file": ("file", "filename", "file_name", "filepath", "file_path", "path", "image", "image_path", "img", "name"),
    "class": ("class", "label", "labels", "category", "target", "class_name", "species", "y"),
    "split": ("split", "set", "subset", "partition"),
    "group": ("group", "groups"),
}
_DELIMITERS = "\t;,|"
_LOOKED_AT = 50  # lines that tell the delimiter and the columns


@dataclass(frozen=True)
class Row:
    """An image of a list: its name below the data set's folder, class, split or "", and group or ""."""

    file: str
    label: str
    split: str
    group: str


def find_lists(root: Path) -> tuple[str, ...]:
    """Names of the lists in a folder that say classes: one, or one for each split.

    Raises:
        BadInput: several that are not of one split each.
    """
    names = sorted(p.name for p in root.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file())
    found = [name for name in names if _is_list(root, name)]
    if len(found) > 1 and (others := [name for name in found if not split_of(name)]):
        got = f"several lists in {root} ({shortened(found)})"
        raise BadInput(got, "one, or train, val and test", f"folder:{root}?list={others[0]}")
    return tuple(found)


def split_of(name: str) -> str:
    """The split that the name of a folder or list says, or ""."""
    plain = Path(name).stem.lower()
    return SPLITS.get(re.sub("[ _-]?set$", "", plain), "")


def read_lists(root: Path, names: Sequence[str], group: str = "") -> list[Row]:
    """The rows of lists in a data set's folder.

    Args:
        root: the folder.
        names: of the lists, in it.
        group: the column that holds groups; "" for one that is called so.

    Raises:
        BadInput: a list that is missing, lies outside, or has no such columns; an image outside; one that is listed
            twice in different ways.
    """
    rows: dict[str, Row] = {}
    for name in names:
        place = root / _inside(root, root / name, f"list={name}")
        for number, row in _rows(root, place, group):
            if rows.setdefault(row.file, row) != row:
                raise BadInput(
                    f"line {number} of {place} lists {row.file} again, otherwise", "one class and split each"
                )
    if not rows:
        raise BadInput(f"{shortened(names)} in {root} lists no images", "a line for each image")
    return list(rows.values())


def _rows(root: Path, path: Path, group: str) -> Iterator[tuple[int, Row]]:
    lines = _fields(path)
    columns, header = _columns(path, [fields for _, fields in lines[:_LOOKED_AT]], group)
    for number, fields in lines[header:]:
        if len(fields) < len(columns):
            raise BadInput(f"line {number} of {path} has {len(fields)} fields", f"{len(columns)}")
        cells = dict(zip(columns, (field.strip() for field in fields), strict=False))
        yield number, _row(root, path, number, cells)


def _row(root: Path, path: Path, number: int, cells: Mapping[str, str]) -> Row:
    name, where = cells["file"].replace("\\", "/"), f"line {number} of {path}"
    file = _inside(root, path.parent / name, where) if name else ""
    label = one_form(cells.get("class", PurePosixPath(file).parent.name))
    if not file or not label or not label.isprintable():
        raise BadInput(f"{where} lacks a {'class' if file else 'file'}", "a file and a class in each line")
    split = cells.get("split", split_of(path.name)).lower()
    if split and split not in SPLITS:
        raise BadInput(f"split {split!r} in {where}", "train, val, test")
    if not split and "split" in cells:
        raise BadInput(f"no split in {where}", "train, val, test")
    return Row(actual(root, file), label, SPLITS.get(split, ""), cells.get("group", ""))


def _inside(root: Path, path: Path, what: str) -> str:
    """The name below the folder, without ..; BadInput for one outside."""
    base, plain = (Path(os.path.normpath(p)) for p in (root, path))
    if not plain.is_relative_to(base):
        raise BadInput(f"{what} leads to {plain}, outside {root}", "files in that folder")
    return plain.relative_to(base).as_posix()


def _fields(path: Path) -> list[tuple[int, list[str]]]:
    """The fields of each line that is not empty, with its number."""
    lines = [(i, line) for i, line in enumerate(read_text(path).lstrip("\ufeff").splitlines(), 1) if line.strip()]
    if not lines:
        return []
    delimiter = _delimiter([line for _, line in lines[:_LOOKED_AT]])
    if delimiter:
        fields = _parsed([line for _, line in lines], delimiter)
        return [(number, cells) for (number, _), cells in zip(lines, fields, strict=False)]
    most = _parts(path.parent, [line for _, line in lines[:_LOOKED_AT]])
    return [(number, line.rsplit(maxsplit=most)) for number, line in lines]


def _parts(folder: Path, lines: Sequence[str]) -> int:
    """How often blanks part a line at most, -1 for always: files' names may have blanks, too."""
    name, *_ = lines[-1].rsplit(maxsplit=1)
    uneven = len({len(line.split()) for line in lines}) > 1
    return 1 if uneven or _exists(folder, name) else -1


def _delimiter(lines: Sequence[str]) -> str:
    """That of a list, or "" for blanks."""
    for delimiter in _DELIMITERS:
        counts = {len(fields) for fields in _parsed(lines, delimiter)}
        if len(counts) == 1 and counts != {1}:
            return delimiter
    return ""


def _parsed(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    try:
        return list(csv.reader(lines, delimiter=delimiter, skipinitialspace=True))
    except csv.Error as error:
        raise BadInput(f"a list is not CSV: {error}", "a line for each image") from error


def _columns(path: Path, lines: Sequence[Sequence[str]], group: str) -> tuple[list[str], int]:
    """What each column is ("" for nothing that matters), and how many lines are the header."""
    if not lines:
        raise BadInput(f"{path} is empty", "a line for each image")
    head = [cell.strip().lower() for cell in lines[0]]
    kinds = [_kind(cell, group.lower()) for cell in head]
    if "file" in kinds and len(lines) > 1:
        return _checked(path, kinds, head, group), 1
    return _checked(path, _by_content(path, lines), [], group), 0


def _kind(cell: str, group: str) -> str:
    if group:
        return "group" if cell == group else next((k for k, n in _COLUMNS.items() if cell in n and k != "group"), "")
    return next((kind for kind, names in _COLUMNS.items() if cell in names), "")


def _checked(path: Path, kinds: list[str], head: Sequence[str], group: str) -> list[str]:
    has = shortened(head) or "no header"
    if group and "group" not in kinds:
        raise BadInput(f"no column {group} in {path} ({has})", "group=COLUMN, one of those")
    twice = next((kind for kind in _COLUMNS if kinds.count(kind) > 1), "")
    if "file" not in kinds or twice:
        allowed = "; ".join(f"{kind}: {', '.join(names[:4])}" for kind, names in _COLUMNS.items())
        lacks = f"two columns for {twice}" if twice else "no column for file"
        raise BadInput(f"{lacks} in {path} ({has})", f"a header with a name of each: {allowed}")
    return kinds


def _by_content(path: Path, lines: Sequence[Sequence[str]]) -> list[str]:
    """The columns of a list without header: files exist, splits are called so, and the one left is the class."""
    columns = list(zip(*lines, strict=False))
    kinds = [_kind_of_values(path.parent, values) for values in columns]
    if kinds.count("") == 1:
        kinds[kinds.index("")] = "class"
    return kinds


def _kind_of_values(folder: Path, values: Sequence[str]) -> str:
    if all(value.strip().lower() in SPLITS for value in values):
        return "split"
    return "file" if _exists(folder, values[0]) else ""


def _is_list(root: Path, name: str) -> bool:
    """Whether a file lists images that are there, with their classes."""
    try:
        lines = [fields for _, fields in _fields(root / name)[:_LOOKED_AT]]
        columns, header = _columns(root / name, lines, "")
    except BadInput:
        return False
    if "class" not in columns or len(lines) <= header:
        return False
    return _exists(root, lines[header][columns.index("file")])


def _exists(folder: Path, cell: str) -> bool:
    return (folder / actual(folder, cell.strip().replace("\\", "/"))).is_file()


def actual(root: Path, name: str) -> str:
    """The name that a file has in the folder, which may be in another form of Unicode."""
    if name.isascii() or (root / name).exists():
        return name
    found = ""
    for part in PurePosixPath(name).parts:
        folder = root / found
        names = _forms(folder, folder.stat().st_mtime_ns) if folder.is_dir() else {}
        found = str(PurePosixPath(found) / names.get(one_form(part), part))
    return found


@lru_cache(maxsize=256)
def _forms(folder: Path, _: int) -> Mapping[str, str]:
    """The names in a folder by their one form; the second argument is when it was changed."""
    return {one_form(path.name): path.name for path in folder.iterdir()}
