"""A user's own function as a source of accuracies."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from hwnas.accuracy.unit import Unit
from hwnas.space import Architecture, SearchSpace
from profilers.errors import BadInput, check_least


class PythonFunction:
    """`FOLDER/module:function`, imported with that folder on the path; runs the user's own code.

    `unit`: see `hwnas.accuracy.unit`; `images`: on how many it judges.
    """

    def __init__(self, where: Path, space: SearchSpace, *, unit: str | None = None, images: int | None = None) -> None:
        check_least(1, images=1 if images is None else images)
        self.images = images
        self._unit = Unit(unit, f"python:{where.name}")
        module, found, function = where.name.partition(":")
        if not found or not module or not function:
            raise BadInput(f"accuracy source python:{where}", "python:module:function")
        sys.path.insert(0, str(where.parent.resolve()))
        try:
            self._function = getattr(importlib.import_module(module), function)
        except Exception as error:  # a user's module can raise anything when imported
            raise BadInput(f"python:{where.name} cannot be imported: {type(error).__name__}: {error}") from error
        finally:
            sys.path.pop(0)
        if not callable(self._function):
            raise BadInput(f"python:{where.name} is not a function", "a function of an architecture's dict")

    def evaluate(self, arch: Architecture) -> float:
        """What the function returns for {"ks", "e", "d", "r"}, in percent; UnclearUnit if it may be a fraction."""
        return self._unit.percent(float(self._function(arch.to_json())))
