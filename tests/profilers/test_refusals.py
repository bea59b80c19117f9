"""Several refusals at once."""

from __future__ import annotations

import copy

import pytest

from profilers.errors import BadInput, FileProblem, listed
from profilers.refusals import MOST, ManyRefusals, Refusals


def test_one_is_raised_as_it_is_and_none_not_at_all():
    found = Refusals()
    found.raise_if_any()
    with found.collect():
        raise FileProblem("no file")
    with pytest.raises(FileProblem, match="no file"):
        found.raise_if_any()


def test_many_are_a_line_each_in_order_and_each_once():
    inner, found = Refusals(), Refusals()
    for text in ("b", "c", "b"):
        with inner.collect():
            raise BadInput(f"{text} of\nthis")
    with found.collect():
        raise FileProblem("a")
    with found.collect():
        inner.raise_if_any()
    with pytest.raises(ManyRefusals) as caught:
        found.raise_if_any()
    assert str(caught.value) == "a\nb of this\nc of this" and len(caught.value.errors) == 3
    assert str(BadInput(f"x: {caught.value.got}")) == "x: a; b of this; c of this"
    assert str(copy.copy(caught.value)) == str(caught.value)


def test_other_errors_are_not_kept():
    with pytest.raises(ZeroDivisionError), Refusals().collect():
        1 / 0  # noqa: B018


def test_very_many_are_counted():
    lines = str(ManyRefusals([BadInput(str(i)) for i in range(MOST + 5)])).splitlines()
    assert len(lines) == MOST + 1 and lines[-1] == "and 5 more"


def test_long_lists_are_shortened_with_their_number():
    assert listed(["a" * 500]) == "a" * 500
    text = listed(f"name{i}" for i in range(1000))
    assert text.endswith(", … (1000 in all)") and len(text) < 200
    assert listed(["x" * 300, "y"]) == f"{'x' * 300}, … (2 in all)"
