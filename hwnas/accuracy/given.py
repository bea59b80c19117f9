"""An accuracy that a program brings: a function of a network or of several, or an object that evaluates.

    function(network)              a dict {"ks", "e", "d", "r"} in, top-1 in percent out
    function(networks), batch=8    a list of at most 8 such dicts in, as many accuracies out
    object.evaluate(arch)          an `Architecture` in, percent out
    object.evaluate_batch(archs)   a list of them in, as many out; `object.batch` says how many at a time

Values are percent, unless `unit` says "fraction"; one that may be a fraction is asked about (`hwnas.accuracy.unit`).
What is raised (sys.exit, too), or is no number from 0 to 100, is the failure of that one network: if a batch raises,
its networks are evaluated one by one, so that none fails for another's sake. In a batch's answer an exception in a
network's place says why that one failed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from hwnas.accuracy.timeout import TimedOut
from hwnas.accuracy.unit import Unit, UnusableSource
from hwnas.space import Architecture
from profilers.errors import BadInput, check_least, shown
from profilers.reasons import foreign, why

BATCH = 8  # networks at a time where an object has `evaluate_batch` and does not say
Evaluate = Callable[[Sequence[Architecture]], Iterable[Any]]


class Exited(Exception):
    """What a user's function raised that is no `Exception`."""


class Given:
    """A source of accuracies for `search(run, source)`; made by `of`."""

    def __init__(self, evaluate: Evaluate, name: str, batch: int, unit: str | None, images: int | None) -> None:
        check_least(1, batch=batch, images=1 if images is None else images)
        self.batch, self.images, self.name = batch, images, name
        self._evaluate, self._unit = evaluate, Unit(unit, name)

    def evaluate(self, arch: Architecture) -> float:
        """Top-1 in percent; raises why there is none, and UnclearUnit if it may be a fraction."""
        found = self.evaluate_batch([arch])[0]
        if isinstance(found, Exception):
            raise found
        return found

    def evaluate_batch(self, archs: Sequence[Architecture]) -> list[float | Exception]:
        """Top-1 in percent, or why there is none, of each.

        Raises:
            UnusableSource: another number of answers than networks, or values that may be fractions.
        """
        try:
            values = list(self._evaluate(archs))
        except (UnusableSource, KeyboardInterrupt, TimedOut):
            raise
        except BaseException as error:  # a user's code can raise anything
            return [_failure(error)] if len(archs) == 1 else [self._alone(arch) for arch in archs]
        if len(values) != len(archs):
            got = f"{self.name} gave {len(values)} accuracies for {len(archs)} networks"
            raise UnusableSource(got, "one for each, in their order")
        return [self._percent(value) for value in values]

    def _alone(self, arch: Architecture) -> float | Exception:
        return self.evaluate_batch([arch])[0]

    def _percent(self, value: Any) -> float | Exception:
        if isinstance(value, Exception):
            return value
        try:
            number = float(value)
        except Exception:  # what it is may raise anything
            return BadInput(f"an accuracy of {shown(value)}", "a percentage from 0 to 100")
        return self._unit.percent(number)


def _failure(error: BaseException) -> Exception:
    return error if isinstance(error, Exception) else Exited(why(error))


def of(
    source: Any,
    *,
    batch: int | None = None,
    unit: str | None = None,
    images: int | None = None,
    name: str = "",
) -> Given:
    """What a program brings, as a source of accuracies.

    Args:
        source: a function, or an object with `evaluate` or `evaluate_batch`; of a class, an instance is made.
        batch: how many networks are given to it at once; a function gets a list where this is said.
        unit: "percent" or "fraction".
        images: on how many (distinct) images it judges; by default its own `images`.
        name: for messages.

    Raises:
        BadInput: it is no such thing, or a class that needs arguments.

    >>> of(lambda network: 60 + network["r"] / 10).batch
    1
    >>> of(lambda networks: [60 + n["r"] / 10 for n in networks], batch=8).batch
    8
    """
    if isinstance(source, Given) and (batch, unit, images) == (None, None, None):
        return source
    source, name = _instance(source), name or getattr(source, "__name__", type(source).__name__)
    batch = getattr(source, "batch", None) if batch is None else batch
    evaluate, several = _evaluate(source, name, batch)
    images = getattr(source, "images", None) if images is None else images
    at_once = (BATCH if batch is None else batch) if several else 1
    return Given(evaluate, name, at_once, unit, images)


def _instance(source: Any) -> Any:
    if not isinstance(source, type):
        return source
    allowed = "a class without arguments, or an instance"
    with foreign(lambda said: BadInput(f"{source.__name__}() raises {said}", allowed)):
        return source()


def _evaluate(source: Any, name: str, batch: int | None) -> tuple[Evaluate, bool]:
    """What evaluates several networks, and whether it does so at once."""
    if callable(getattr(source, "evaluate_batch", None)):
        return lambda archs: source.evaluate_batch(list(archs)), True
    if callable(getattr(source, "evaluate", None)):
        return lambda archs: (source.evaluate(arch) for arch in archs), False
    if not callable(source):
        allowed = 'a function of {"ks", "e", "d", "r"}, or an object with evaluate or evaluate_batch'
        raise BadInput(f"accuracy {name} is not a function", allowed)
    if batch is not None:
        return lambda archs: source([arch.to_json() for arch in archs]), True
    return lambda archs: (source(arch.to_json()) for arch in archs), False
