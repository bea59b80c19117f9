"""Where a network's accuracy comes from: `KIND:REST`, one file a kind; and how sure it is (`wilson`).

Models that predict accuracy from what a search has evaluated are in `hwnas.surrogates`; training is in `hwnas.train`.

    supernet:CKPT            inherit weights, recalibrate BatchNorm, validate
    ofa-predictor:PATH       once-for-all's published accuracy predictor (a number from a regression, not a validation)
    table:F.csv              known accuracies by architecture
    python:module:NAME       your own module beside the configuration (or FOLDER/module): a function with a dict {"ks",
                             "e", "d", "r"} in and top-1 in percent out, or an object that evaluates (`given`)
    given                    what the program itself hands to `hwnas.search(…, accuracy)`: see `given`
    NAME:REST                an entry point of the group hwnas.accuracy: called with REST, the space and [evaluate]

A source has `evaluate(arch) -> float`, top-1 in percent; what it raises becomes the failure of that one network. It may
have `images`, on how many (distinct) images that is; without, nothing is known of its uncertainty. One that evaluates
several at once has `evaluate_batch(archs)` and `batch`. `hwnas.testing.check_accuracy` checks one.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from hwnas.space import Architecture, Genes, SearchSpace
from profilers.errors import BadInput, FileProblem, HwnasError, nearest
from profilers.files import check_readable
from profilers.plugins import Registry
from profilers.reasons import why

GIVEN = "given"


class Accuracy(Protocol):
    """A source of accuracies."""

    def evaluate(self, arch: Architecture) -> float:
        """Top-1 of `arch` in percent; raises whatever went wrong for this network."""


class KeepsNetworks(Protocol):
    """A source that can write each network with the weights that it was evaluated with."""

    def evaluate(self, arch: Architecture, keep: Path | None = None) -> float:
        """As of `Accuracy`; the network is written to the file `keep`."""


SOURCES: Registry[Callable[..., Accuracy]] = Registry(
    "hwnas.accuracy",
    "accuracy source",
    {
        "supernet": "hwnas.accuracy.supernet:SupernetAccuracy",
        "ofa-predictor": "hwnas.ofa.predictor:OfaPredictor",
        "table": "hwnas.accuracy.table:AccuracyTable",
        "python": "hwnas.accuracy.function:python_function",
    },
)
FILES = ("supernet", "ofa-predictor", "table", "python")  # whose REST is a path


def split(spec: str) -> tuple[str, str]:
    """`KIND:REST` as (kind, rest), whether or not that kind is installed; BadInput for anything else."""
    kind, _, rest = spec.partition(":")
    if spec != GIVEN and not (kind and rest):
        raise BadInput(f"accuracy source {spec!r}", ", ".join(f"{k}:…" for k in SOURCES))
    return kind, rest


def check(spec: str) -> None:
    """BadInput if there is no such kind of source here."""
    kind, _ = split(spec)
    if kind != GIVEN and kind not in SOURCES:
        near = nearest(kind, list(SOURCES))
        raise BadInput(f"accuracy source {spec!r}", ", ".join(f"{k}:…" for k in SOURCES), f"{near}:…" if near else "")


def check_file(spec: str) -> None:
    """FileProblem if a source's file cannot be read."""
    kind, rest = split(spec)
    if kind in FILES and kind != "python":  # which is a module
        try:
            check_readable(Path(rest))
        except FileProblem as error:
            raise FileProblem(
                f"accuracy source {kind}: {error.got}", remedy=_MADE_BY.get(kind, error.remedy)
            ) from error


def check_named(spec: str, options: Mapping[str, Any]) -> None:
    """BadInput if a source takes no such options; what cannot be imported here is left to `open_accuracy`."""
    kind, _ = split(spec)
    if options and kind in SOURCES:
        with suppress(ImportError):
            check_options(kind, SOURCES.find(kind), options)


_MADE_BY = {"supernet": "hwnas train supernet CONFIG.toml", "ofa-predictor": "hwnas fetch acc_predictor.pth"}
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
    if kind not in FILES:  # only its own code knows what REST is
        return f"{kind}:{path}" if path.exists() else spec
    return f"{kind}:{path if path.exists() else cached(rest) or path}"


def open_accuracy(spec: str, space: SearchSpace, options: Mapping[str, Any] | None = None) -> Accuracy:
    """Open a source for `space`; `options` go to the source.

    Raises:
        BadInput, FileProblem: an unknown kind or option, or a source that does not fit the space.
    """
    kind, rest = split(spec)
    if kind == GIVEN:
        raise BadInput("the accuracies came from an object of the program that started this search",
                       "to go on from that program: hwnas.search(…, accuracy) or hwnas.open_search(…)")  # fmt: skip
    check(spec)
    make = SOURCES.find(kind)
    check_options(kind, make, options or {})
    try:
        return make(Path(rest) if kind in FILES else rest, space, **(options or {}))
    except (HwnasError, MemoryError, KeyboardInterrupt):
        raise
    except BaseException as error:
        if kind in FILES:  # one of ours
            raise
        got = f"accuracy source {spec!r} cannot be opened: {why(error)}"
        raise BadInput(got, "called with REST, the space and the options of [evaluate]") from error


def listed(spec: str, space: SearchSpace, options: Mapping[str, Any] | None = None) -> Genes | None:
    """(k, n_genes) the networks whose accuracy a source knows, None where it can evaluate any.

    Raises:
        BadInput, FileProblem: as of `open_accuracy`; a table that names networks by id alone, of a large space.
    """
    kind, _ = split(spec)
    return open_accuracy(spec, space, options).networks() if kind == "table" else None  # type: ignore[attr-defined]


def check_options(kind: str, make: Callable[..., Any], options: Mapping[str, Any], hidden: Sequence[str] = ()) -> None:
    """BadInput if `make` takes no such options; those that are `hidden` are no options."""
    parameters = inspect.signature(make).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return
    allowed = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.name not in hidden]
    for name in options:
        if name not in allowed:
            raise BadInput(f"option {name!r} of accuracy source {kind}", ", ".join(allowed) or "none")
