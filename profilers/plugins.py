"""Plug-ins by name: built-in ones, those that installed packages bring, and objects of a user's own module.

    built-in             a class, or "module:NAME", which is imported when it is asked for
    entry point          of an installed package, as in [project.entry-points."hwnas.runtimes"] mine = "module:Mine"
    python:module:NAME   a module beside the file that names it, in the current folder, or installed

A plug-in that cannot be imported is unavailable with its reason; the others work.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Generic, TypeVar

from profilers.errors import BadInput, nearest
from profilers.prints import to_stderr
from profilers.reasons import foreign

PREFIX = "python:"
T = TypeVar("T")


class Registry(Mapping[str, T], Generic[T]):
    """Plug-ins of one kind.

    Args:
        group: of entry points, as in "hwnas.runtimes".
        what: what they are, for messages: "engine".
        builtin: by name; a text is "module:NAME".
        check: called with name and object before an object from outside is given out; raises BadInput.
    """

    def __init__(
        self, group: str, what: str, builtin: Mapping[str, T | str], check: Callable[[str, Any], None] | None = None
    ) -> None:
        self.group, self.what = group, what
        self._builtin, self._check = dict(builtin), check
        self._found: dict[str, T] = {}

    @property
    def built_in(self) -> tuple[str, ...]:
        """The names that need no other package."""
        return tuple(self._builtin)

    def add(self, name: str, value: T) -> None:
        """A plug-in of this process; BadInput for a name that is taken by another one."""
        if name in self and self._found.get(name) is not value:
            raise BadInput(f"a second {self.what} {name!r}", "another name")
        self._accept(name, value)

    def find(self, name: str, folder: Path | None = None) -> T:
        """The plug-in of that name, or of `python:module:NAME` (relative to `folder`).

        Raises:
            BadInput: an unknown name (the known ones are said), or one that cannot be imported or does not fit.
        """
        if name in self._found:
            return self._found[name]
        if name.startswith(PREFIX):
            return self._accept(name, load_object(name.removeprefix(PREFIX), folder), keep=False)
        if name in self._builtin:
            value = self._builtin[name]
            self._found[name] = _own(value) if isinstance(value, str) else value
            return self._found[name]
        if name in (brought := self._brought()):
            return self._accept(name, _loaded(brought[name], self.what))
        raise BadInput(f"unknown {self.what} {name!r}", ", ".join(self), nearest(name, list(self)))

    def __getitem__(self, name: str) -> T:
        if name not in self:
            raise KeyError(name)
        return self.find(name)

    def __contains__(self, name: object) -> bool:
        return name in self._found or name in self._builtin or name in self._brought()

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys([*self._builtin, *self._brought(), *self._found]))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def _brought(self) -> dict[str, EntryPoint]:
        """Entry points by name; a built-in plug-in cannot be replaced by one."""
        return {point.name: point for point in entry_points(group=self.group) if point.name not in self._builtin}

    def _accept(self, name: str, value: Any, *, keep: bool = True) -> T:
        if self._check is not None:
            self._check(name, value)
        accepted: T = value
        if keep:
            self._found[name] = accepted
        return accepted


def load_object(where: str, folder: Path | None = None) -> Any:
    """The object NAME of `module:NAME` or `FOLDER/module:NAME`; runs the module's code.

    Args:
        where: the module may be dotted, or its file, `module.py`. Its folder stays on the path, after all others, so
            that functions of it may import their neighbours later; while it is imported it comes first.
        folder: what a relative FOLDER, or a module without one, is relative to; by default the current folder.

    Raises:
        BadInput: no such form; a module that cannot be imported; no such name in it; another module of that name.
    """
    path, found, name = where.rpartition(":")
    place, module = (folder or Path()) / Path(path).parent, Path(path).name.removesuffix(".py")
    if not found or not module or not name:
        raise BadInput(f"python:{where}", "python:module:NAME")
    allowed = "a module beside the file that names it, or an installed one"
    refused = foreign(lambda said: BadInput(f"python:{module}:{name} cannot be imported: {said}", allowed))
    with _first_on_path(str(place.resolve())), to_stderr(), refused:
        imported = importlib.import_module(module)
    _check_place(imported, module, place)
    try:
        return getattr(imported, name)
    except AttributeError:
        known = [key for key in vars(imported) if not key.startswith("_")]
        raise BadInput(f"python:{module}:{name}: no {name} in {module}", remedy=nearest(name, known)) from None


@contextmanager
def _first_on_path(folder: str) -> Iterator[None]:
    """`folder` before all others while the block runs, and after all others from then on."""
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        with suppress(ValueError):  # the user's code has taken it away
            sys.path.remove(folder)
        if folder not in sys.path:
            sys.path.append(folder)


def _check_place(imported: Any, module: str, place: Path) -> None:
    """BadInput where a module of that name was imported from another folder before, which Python would give again."""
    first = module.partition(".")[0]
    beside = [path.resolve() for path in (place / f"{first}.py", place / first / "__init__.py") if path.is_file()]
    loaded = getattr(sys.modules.get(first, imported), "__file__", None)
    if beside and loaded and Path(loaded).resolve() not in beside:
        raise BadInput(f"two modules {first}: {beside[0]} and {loaded}", "one name for one module", "another name")


def _own(where: str) -> Any:
    """An object of ours: no folder is put on the path for it."""
    module, _, name = where.partition(":")
    return getattr(importlib.import_module(module), name)


def _loaded(point: EntryPoint, what: str) -> Any:
    owner = point.dist.name if point.dist else "a package"
    got, remedy = f"{what} {point.name!r} of {owner} cannot be imported", f"pip install --upgrade {owner}"
    with foreign(lambda said: BadInput(f"{got}: {said}", remedy=remedy)):
        return point.load()
