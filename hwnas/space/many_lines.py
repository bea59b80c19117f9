"""Lines of architectures as genes, a block of lines at a time: as strict as `arch_lines`, much faster and leaner.

A block whose every line is an architecture in its canonical form is read as one JSON list and looked up in arrays. That
is safe: none of these holds an object within a list, so no two broken lines can make up for each other. Any other block
is read line by line, which also says what is wrong with which line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.space import Genes, SearchSpace
from hwnas.space.arch_lines import Line, line_of, space_of_lines
from hwnas.space.attributes import Option
from profilers.errors import BadInput
from profilers.files import check_readable, parse_json, read_text

BLOCK = 10_000  # lines
Kind = tuple[Any, Any, Any]  # what a line says of its space, its classes, its signature


def genes_of_lines(path: Path, expected: SearchSpace, classes: int | None = None) -> tuple[SearchSpace, Genes]:
    """(n, n_genes) of a file whose lines are architectures of `expected`, and that space with their classes.

    Raises:
        FileProblem: it cannot be read. BadInput: which line is wrong and why; lines that contradict each other.
    """
    reader = _Reader(path, expected)
    blocks = [reader.genes(block) for block in _blocks(path)]
    if not blocks:
        raise BadInput(f"{path} holds no architecture", "one a line")
    lines = list(reader.kinds.values())
    return space_of_lines(lines, path, classes=classes, expected=expected), np.concatenate(blocks)


def starts_with_a_line(path: Path) -> bool:
    """Whether the first line that is not empty is an object of its own."""
    check_readable(path)
    with path.open(encoding="utf-8", errors="replace") as file:
        first = next((line for line in file if line.strip()), "")
    return _values([first.strip()]) is not None


def _blocks(path: Path) -> Iterator[list[tuple[int, str]]]:
    """Numbered lines without empty ones."""
    try:
        with path.open(encoding="utf-8") as file:
            lines = ((number, line.strip()) for number, line in enumerate(file, 1) if not line.isspace())
            while block := list(islice(lines, BLOCK)):
                yield block
    except UnicodeDecodeError:
        read_text(path)  # says so
        raise


@dataclass
class _Reader:
    path: Path
    space: SearchSpace
    kinds: dict[Kind, Line] = field(default_factory=dict)  # the first line of each

    def genes(self, block: Sequence[tuple[int, str]]) -> Genes:
        """(n, n_genes) of a block."""
        values = _values([text for _, text in block])
        try:
            found = None if values is None else self._looked_up(values, block)
        except (TypeError, ValueError, OverflowError):  # lists in lists, or of several lengths
            found = None
        return self._one_by_one(block) if found is None else found

    def _one_by_one(self, block: Sequence[tuple[int, str]]) -> Genes:
        archs = []
        for number, text in block:
            where = f"{self.path}, line {number}"
            line = line_of(parse_json(text, where), where)
            archs.append(line.of(self.space))
            self.kinds.setdefault((line.space, line.classes, line.signature), line)
        return self.space.encode(archs).astype(np.int16)

    def _looked_up(self, values: Sequence[Any], block: Sequence[tuple[int, str]]) -> Genes | None:
        """None unless all are canonical."""
        needed = {*(a.key for a in self.space.attributes), "d", "r"}
        archs = [value.get("arch", value) for value in values]
        if any(type(arch) is not dict or arch.keys() != needed for arch in archs):
            return None
        by_depth: dict[tuple[Any, ...], list[int]] = {}
        for i, arch in enumerate(archs):
            by_depth.setdefault(tuple(arch["d"]), []).append(i)
        genes = np.zeros((len(archs), self.space.n_genes), np.int16)
        for depths, rows in by_depth.items():
            if not self._fill(genes, depths, rows, [archs[i] for i in rows]):
                return None
        self._note(values, block)
        return genes

    def _fill(
        self, genes: Genes, depths: tuple[Any, ...], rows: Sequence[int], archs: Sequence[Mapping[str, Any]]
    ) -> bool:
        """The genes of architectures of the same depths; False where one is not canonical."""
        space = self.space
        allowed = space.depth_choices
        if len(depths) != len(allowed) or any(d not in some for d, some in zip(depths, allowed, strict=True)):
            return False
        slots = np.flatnonzero(space.present(np.array([depths]))[0])
        wanted: list[tuple[Any, list[Any], Sequence[Option]]] = [
            (np.array([0]), [[arch["r"]] for arch in archs], space.resolutions)
        ]
        for i, a in enumerate(space.attributes):
            wanted.append((1 + i * space.slots + slots, [arch[a.key] for arch in archs], a.options))
        for columns, values, options in wanted:
            if (places := _places(values, options, len(columns))) is None:
                return False
            genes[np.array(rows)[:, None], columns] = places
        return True

    def _note(self, values: Sequence[Mapping[str, Any]], block: Sequence[tuple[int, str]]) -> None:
        """What lines say beside their architectures; the first that says something new is looked at as a whole."""
        names = ("space", "classes", "signature")
        said: list[Kind] = [tuple(map(value.get, names)) if "arch" in value else (None,) * 3 for value in values]  # type: ignore[misc]
        for kind in dict.fromkeys(said):
            if kind not in self.kinds:
                i = said.index(kind)
                line = line_of(values[i], f"{self.path}, line {block[i][0]}")
                line.of(self.space)
                self.kinds[kind] = line


def _values(texts: Sequence[str]) -> list[dict[str, Any]] | None:
    """The objects that the lines are; None where one is none, or has a truth value, which Python takes for a number."""
    whole = ",".join(texts)
    if "true" in whole or "false" in whole or not all(t.startswith("{") and t.endswith("}") for t in texts):
        return None
    try:
        values = parse_json(f"[{whole}]", "")
    except BadInput:
        return None
    return values if len(values) == len(texts) and all(type(value) is dict for value in values) else None


def _places(values: Sequence[Any], options: Sequence[Option], width: int) -> NDArray[np.int16] | None:
    """(n, width) 1 + the index of each value in `options`; None where there is another value or form."""
    found, known = np.array(values), np.array(options)
    if found.shape != (len(values), width) or found.dtype.kind != known.dtype.kind:
        return None
    order = np.argsort(known, kind="stable")
    at = np.searchsorted(known[order], found).clip(max=len(known) - 1)
    if (known[order][at] != found).any():
        return None
    places: NDArray[np.int16] = (1 + order[at]).astype(np.int16)
    return places
