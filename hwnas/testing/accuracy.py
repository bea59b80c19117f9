"""The contract of an accuracy source: what a search takes for granted of it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hwnas.accuracy import Accuracy, open_accuracy
from hwnas.accuracy.given import of
from hwnas.search.worker import answers
from hwnas.space import Architecture, SearchSpace, get_space

_NETWORKS = 4


def check_accuracy(
    source: Any,
    space: str | SearchSpace = "tiny",
    options: Mapping[str, Any] | None = None,
    networks: Sequence[Architecture] | None = None,
) -> None:
    """Check an accuracy source on a few networks; an AssertionError says what does not hold.

    Args:
        source: "KIND:REST" (also of an entry point, and `python:module:NAME`), or a function or object.
        space: that it is opened for.
        options: of the source, as in [evaluate].
        networks: to ask about; by default some random ones, of which one at least must be known.

    Raises:
        AssertionError: the contract is broken. BadInput: it cannot be opened, or gives fractions.

    >>> check_accuracy(lambda network: 60 + network["r"] / 10)
    """
    made = get_space(space) if isinstance(space, str) else space
    opened = open_accuracy(source, made, options) if isinstance(source, str) else of(source, **(options or {}))
    archs = list(networks or made.decode(made.sample(_NETWORKS, np.random.default_rng(0))))
    found = _check_answers(opened, archs)
    assert _figures(answers(opened, [a]) for a in archs) == found, (
        "the same network has another accuracy when asked again"
    )
    _check_batch(opened, archs, found)
    _check_images(opened)


def _figures(parts: Any) -> list[float | None]:
    return [answer.get("top1") for part in parts for answer in part]


def _check_answers(opened: Accuracy, archs: Sequence[Architecture]) -> list[float | None]:
    """Each is a percentage, or the failure of that network with a reason; and is what JSON can hold."""
    found: list[float | None] = []
    for arch in archs:
        (answer,) = answers(opened, [arch])
        assert "refused" not in answer, f"the source is refused: {'; '.join(answer['refused'])}"
        json.dumps(answer, allow_nan=False)
        top1 = answer.get("top1")
        assert (top1 is None) == bool(answer.get("error")), "a failure without a reason"
        assert top1 is None or (math.isfinite(top1) and 0 <= top1 <= 100), f"an accuracy of {top1}"
        found.append(top1)
    assert any(top1 is not None for top1 in found), f"no network could be evaluated: {answer.get('error')}"
    return found


def _check_batch(opened: Accuracy, archs: Sequence[Architecture], found: Sequence[float | None]) -> None:
    """Several at once give the same as one after another."""
    size = getattr(opened, "batch", 1)
    assert isinstance(size, int) and size >= 1, f"batch is {size!r}; allowed: 1 or more"
    if size > 1:
        parts = [archs[i : i + size] for i in range(0, len(archs), size)]
        together = np.array(_figures(answers(opened, part) for part in parts), float)
        same = np.allclose(together, np.array(found, float), equal_nan=True)
        assert same, "a batch gives other values than one network after another"


def _check_images(opened: Accuracy) -> None:
    images = getattr(opened, "images", None)
    assert images is None or (isinstance(images, int) and images >= 1), f"images is {images!r}; allowed: 1 or more"
