"""Where a network's accuracy comes from: `KIND:REST`, one file a kind; and how sure it is (`wilson`).

Models that predict accuracy from what a search has evaluated are in `hwnas.surrogates`; training is in `hwnas.train`.

    supernet:CKPT            inherit weights, recalibrate BatchNorm, validate
    ofa-predictor:PATH       once-for-all's published accuracy predictor (a number from a regression, not a validation)
    table:F.csv              known accuracies by architecture
    python:module:function   your own module beside the configuration (or FOLDER/module): a dict {"ks", "e", "d", "r"}
                             in, top-1 in percent out
    given                    an object that the program itself hands to `search(run, source)`

A source has `evaluate(arch) -> float`, top-1 in percent; what it raises becomes the failure of that one network. It may
have `images`, on how many (distinct) images that is; without, nothing is known of its uncertainty.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Protocol

from hwnas.space import Architecture, SearchSpace
from profilers.errors import BadInput

_SOURCES = {
    "supernet": "hwnas.accuracy.supernet:SupernetAccuracy",
    "ofa-predictor": "hwnas.ofa.predictor:OfaPredictor",
    "table": "hwnas.accuracy.table:AccuracyTable",
    "python": "hwnas.accuracy.function:PythonFunction",
}
KINDS = tuple(_SOURCES)
GIVEN = "given"


class Accuracy(Protocol):
    """A source of accuracies."""

    def evaluate(self, arch: Architecture) -> float:
        """Top-1 of `arch` in percent; raises whatever went wrong for this network."""


class KeepsNetworks(Protocol):
    """A source that can write each network with the weights that it was evaluated with."""

    def evaluate(self, arch: Architecture, keep: Path | None = None) -> float:
        """As of `Accuracy`; the network is written to the file `keep`."""


def split(spec: str) -> tuple[str, str]:
    """`KIND:REST` as (kind, rest); BadInput for anything else."""
    if spec == GIVEN:
        return GIVEN, ""
    kind, _, rest = spec.partition(":")
    if kind not in KINDS or not rest:
        near = get_close_matches(kind, KINDS, 1)
        raise BadInput(f"accuracy source {spec!r}", ", ".join(f"{k}:…" for k in KINDS), f"{near[0]}:…" if near else "")
    return kind, rest


_OBTAINED = {"ofa-predictor": "predicted", "table": "imported"}  # the others evaluate the network


def obtained(spec: str) -> str:
    """How a source comes by its accuracies: "evaluated", "predicted" or "imported"."""
    return _OBTAINED.get(split(spec)[0], "evaluated")


_REMARKS = {
    "ofa-predictor": "reads about 5 points above the published ImageNet top-1 (76.0 for 71.4, 80.3 for 74.7, 82.3 for "
    "76.6: it was fitted to held-out training images)",
}


def remark(spec: str) -> str:
    """What must be known of a source's accuracies wherever they stand, or ""."""
    return _REMARKS.get(split(spec)[0], "")


def resolve(spec: str, folder: Path) -> str:
    """The same source with its file, or its module's folder, as an absolute path; relative ones are in `folder`.

    A file that is not there may also be the name of one that `hwnas fetch` has taken.
    """
    from hwnas.fetch import cached

    kind, rest = split(spec)
    if kind == GIVEN:
        return spec
    path = (folder / rest).absolute()
    return f"{kind}:{path if path.exists() else cached(rest) or path}"


def open_accuracy(spec: str, space: SearchSpace, options: Mapping[str, Any] | None = None) -> Accuracy:
    """Open a source for `space`; `options` go to the source.

    Raises:
        BadInput, FileProblem: an unknown kind or option, or a source that does not fit the space.
    """
    kind, rest = split(spec)
    if kind == GIVEN:
        raise BadInput("the accuracies came from an object of the program that started this search",
                       "to go on from that program, which calls search(run, source)")  # fmt: skip
    make = _maker(kind)
    _check_options(kind, make, options or {})
    return make(Path(rest), space, **(options or {}))


def _maker(kind: str) -> Callable[..., Accuracy]:
    module, _, name = _SOURCES[kind].partition(":")
    found: Callable[..., Accuracy] = getattr(importlib.import_module(module), name)
    return found


def _check_options(kind: str, make: Callable[..., Accuracy], options: Mapping[str, Any]) -> None:
    allowed = [p.name for p in inspect.signature(make).parameters.values() if p.kind is p.KEYWORD_ONLY]
    for name in options:
        if name not in allowed:
            raise BadInput(f"option {name!r} of accuracy source {kind}", ", ".join(allowed) or "none")
