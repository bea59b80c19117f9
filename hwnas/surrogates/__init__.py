"""Surrogates of accuracy by name. A new one is one file with one `Surrogate` and a line in `registry`.

One of your own is `python:module:Class` or an entry point of the group hwnas.surrogates; Adaptive Switching ("auto")
compares those of `registry` alone. `hwnas.testing.check_surrogate` checks one.

What becomes of large archives, by the number of their rows (`tools.bench.search --large` prints what that costs):

    up to 400     all rows are used everywhere
    above 400     the GP learns its hyper-parameters from 400 rows, anew when there are a quarter more (`likelihood`),
                  predicts from all, and its uncertainty follows from 400 of them; Adaptive Switching compares its
                  candidates on 400 rows (`auto`); networks are chosen in half the steps (`search.acquisition`)
    above 1,000   the GP is fitted to 1,000 rows, above 2,000 every other surrogate to 2,000 (`Surrogate.max_rows`)

Rows that are kept are always half the newest, which are nearest the front, and half spread evenly (`base.subsample`).
"""

from __future__ import annotations

from typing import Any

from hwnas.surrogates.auto import AdaptiveSwitching
from hwnas.surrogates.base import Prediction, Surrogate
from hwnas.surrogates.features import Layout, encode, layout
from hwnas.surrogates.registry import MODELS
from profilers.errors import BadInput
from profilers.plugins import Registry


def _check(name: str, value: Any) -> None:
    if not (isinstance(value, type) and issubclass(value, Surrogate)):
        raise BadInput(f"surrogate {name} is {value!r}", "a subclass of hwnas.surrogates.Surrogate")


SURROGATES: Registry[type[Surrogate]] = Registry(
    "hwnas.surrogates", "surrogate", {**MODELS, AdaptiveSwitching.name: AdaptiveSwitching}, _check
)


def make(name: str, columns: Layout | None = None) -> Surrogate:
    """The surrogate of that name for features of that layout; BadInput for an unknown name."""
    return SURROGATES.find(name)(columns)


__all__ = ["MODELS", "SURROGATES", "AdaptiveSwitching", "Layout", "Prediction", "Surrogate", "encode", "layout", "make"]
