"""Rooms that are commands too: `hwnas.search` is the folder of the search and the function that searches.

Python makes a subpackage an attribute of its package when anything of it is imported, so the function cannot stand
beside a folder of its name. The folder's module therefore is callable, and calling it calls the function of this room.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from types import ModuleType
from typing import Any


class _CallableModule(ModuleType):
    # A module with `__target__`, "module:name" of a function that is called in its place, and is shown by help().
    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return self.__wrapped__(*arguments, **options)

    @property
    def __wrapped__(self) -> Any:
        place, _, name = self.__dict__["__target__"].partition(":")
        return getattr(importlib.import_module(place), name)

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self.__wrapped__)

    @property
    def __doc__(self) -> str:  # type: ignore[override]
        room = self.__dict__["__doc__"]
        return f"{inspect.getdoc(self.__wrapped__)}\n\nThe folder of this name: {room}"


def make_callable(room: str, target: str) -> None:
    """Let the imported module `room` be called as the function `target`, "module:name"."""
    module = sys.modules[room]
    module.__dict__["__target__"] = target
    module.__class__ = _CallableModule
