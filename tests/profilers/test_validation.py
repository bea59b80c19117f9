"""The layer itself: whatever is given, an instance of the type or one printable line that names place and remedy."""

from __future__ import annotations

import datetime
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import pytest
from annotated_types import Gt, Interval, MinLen
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import TypedDict

from profilers.constraints import AlsoText, Name, NotNegative, OneOf, Pattern, Text
from profilers.errors import BadInput, TableError, shown
from profilers.refusals import ManyRefusals, Refusals
from profilers.validation import Style, check_fields, check_plain, draft, json_schema, validate


class Pair(NamedTuple):
    ms: Annotated[float, Gt(0)]
    n: Annotated[int, Interval(ge=1, le=9)]


@dataclass(frozen=True)
class Inner:
    """A part."""

    kind: Annotated[str, OneOf(("steady", "interrupted"))] = "steady"
    """Its kind."""
    share: NotNegative = 0.5

    def __post_init__(self) -> None:
        check_fields(self)
        if self.kind == "interrupted" and self.share == 0:
            raise BadInput("no share", "share = 1", "more")


@dataclass(frozen=True)
class Outer:
    name: Text
    file: Path | None = None
    sizes: Annotated[tuple[int, ...], MinLen(1)] = (1,)
    inner: Inner = Inner()
    more: tuple[Inner, ...] = ()
    entries: dict[Name, Pair] = field(default_factory=dict)
    weights: tuple[float, float] | None = None
    free: dict[str, Any] = field(default_factory=dict)
    flag: bool = False
    code: Annotated[str, Pattern("sm[0-9]+", "sm and a number")] = "sm86"
    pixels: Annotated[tuple[int, ...], AlsoText(lambda text: tuple(map(int, text.split(","))), "1,2")] = (1,)


class Plain(TypedDict):
    a: int


WHOLE = {
    "name": "x", "file": "a/b", "sizes": [1, 2], "inner": {"kind": "interrupted", "share": 1}, "more": [{"share": 0}],
    "entries": {"k": [1, 2]}, "weights": [1, 2.5], "free": {"a": [None, 1.5, {"b": "ä"}]}, "flag": True,
    "code": "sm75", "pixels": "12,16",
}  # fmt: skip


def test_a_whole_value():
    assert validate(Outer, WHOLE, "f") == Outer(
        "x", Path("a/b"), (1, 2), Inner("interrupted", 1.0), (Inner(share=0.0),), {"k": Pair(1.0, 2)}, (1.0, 2.5),
        {"a": [None, 1.5, {"b": "ä"}]}, True, "sm75", (12, 16),
    )  # fmt: skip
    assert validate(Plain, {"a": 1}, "f") == {"a": 1}


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (3, "f is 3; allowed: an object; try: again"),
        ({}, "f lacks name; allowed: name = a text of at most 300 characters; try: again"),
        ({"nam": "x"}, "f: unknown key 'nam'; allowed: name; try: name"),
        ({"name": "x", "zzzzzzzz": 1}, "f: unknown key 'zzzzzzzz'; allowed: name, file, sizes, inner, more, entries, "
         "weights, free, flag, code, pixels; try: again"),
        ({"name": 3}, "f: name = 3; allowed: a text of at most 300 characters; try: again"),
        ({"name": "x" * 301}, f"f: name = '{'x' * 59}…; allowed: a text of at most 300 characters; try: again"),
        ({"name": "x", "file": 3}, "f: file = 3; allowed: a file name; try: again"),
        ({"name": "x", "file": "a\0"}, "f: file = 'a\\x00'; allowed: text in Unicode without NUL; try: again"),
        ({"name": "x", "free": {"a": ["\ud800"]}},
         "f: free.a.0 = '\\ud800'; allowed: text in Unicode without NUL; try: again"),
        ({"name": "x", "free": {"a": {"\ud800": 1}}},
         "f: free.a = '\\ud800'; allowed: text in Unicode without NUL; try: again"),
        ({"name": "x", "sizes": [1, "2"]}, "f: sizes.1 = '2'; allowed: a whole number; try: again"),
        ({"name": "x", "sizes": [True]}, "f: sizes.0 = True; allowed: a whole number; try: again"),
        ({"name": "x", "sizes": [2.0]}, "f: sizes.0 = 2.0; allowed: a whole number; try: again"),
        ({"name": "x", "sizes": []}, "f: sizes = []; allowed: a list, 1 or more; try: again"),
        ({"name": "x", "sizes": [10**5000]}, "f: sizes.0 = a whole number of 16610 bits; allowed: a whole number; "
         "try: again"),
        ({"name": "x", "sizes": [datetime.date(1979, 5, 27)]},
         "f: sizes.0 = 1979-05-27; allowed: a whole number; try: again"),
        ({"name": "x", "inner": {"share": float("nan")}}, "f: inner.share = nan; allowed: a finite number; try: again"),
        ({"name": "x", "inner": {"share": 10**400}},
         "f: inner.share = a whole number of 1329 bits; allowed: a number, 0 or more; try: again"),
        ({"name": "x", "inner": {"share": -1}}, "f: inner.share = -1; allowed: a number, 0 or more; try: again"),
        ({"name": "x", "inner": {"kind": "stedy"}},
         "f: inner.kind = 'stedy'; allowed: steady, interrupted; try: steady"),
        ({"name": "x", "inner": {"kind": "interrupted", "share": 0}}, "f: no share; allowed: share = 1; try: more"),
        ({"name": "x", "more": [{}, {"share": None}]},
         "f: more.1.share = None; allowed: a number, 0 or more; try: again"),
        ({"name": "x", "entries": {"a b": [1, 2]}},
         "f: entries: the name 'a b'; allowed: letters a to z, digits, _ and -, at most 100 of them; try: again"),
        ({"name": "x", "entries": {"k": [0, 2]}}, "f: entries.k.0 = 0; allowed: a number, more than 0; try: again"),
        ({"name": "x", "entries": {"k": [1, 12]}}, "f: entries.k.1 = 12; allowed: a whole number, 1 to 9; try: again"),
        ({"name": "x", "entries": {"k": [1]}}, "f: entries.k = [1]; allowed: a list of 2 values; try: again"),
        ({"name": "x", "weights": [1, 2, 3]}, "f: weights = [1, 2, 3]; allowed: a list of 2 values; try: again"),
        ({"name": "x", "flag": 1}, "f: flag = 1; allowed: true or false; try: again"),
        ({"name": "x", "code": "sm"}, "f: code = 'sm'; allowed: sm and a number; try: again"),
        ({"name": "x", "free": []}, "f: free = []; allowed: an object; try: again"),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)  # fmt: skip
def test_what_does_not_fit_is_one_line(value, line):
    with pytest.raises(TableError) as caught:
        validate(Outer, value, "f", Style(TableError, "again"))
    assert str(caught.value) == line


@dataclass(frozen=True)
class Ruled:
    low: int
    high: int = 9
    limit: int = 5
    inner: Inner = Inner()

    def __post_init__(self) -> None:
        check_fields(self)

    def rules(self, found: Refusals) -> None:
        with found.collect():
            if self.low > self.high:
                raise BadInput(f"low = {self.low} above high")
        with found.collect():
            if self.limit > 100:
                raise BadInput(f"limit = {self.limit}", "100")


@pytest.mark.parametrize(
    ("value", "lines"),
    [
        ({"low": 20, "limit": 200}, ["f: low = 20 above high", "f: limit = 200; allowed: 100"]),
        ({"low": 20, "high": "x", "limit": 200},  # the first rule needs what does not fit
         ["f: high = 'x'; allowed: a whole number", "f: limit = 200; allowed: 100"]),
        ({"low": 20, "hihg": 30}, ["f: unknown key 'hihg'; allowed: high; try: high"]),
        ({"limit": 200, "zzzzz": 1, "inner": {"kind": "interrupted", "share": 0}},
         ["f: unknown key 'zzzzz'; allowed: low, high, limit, inner", "f lacks low; allowed: low = a whole number",
          "f: no share; allowed: share = 1; try: more", "f: limit = 200; allowed: 100"]),
        ({"low": 1, "inner": {"share": -1, "kid": "steady", "kind": 3, "zz": 0}},
         ["f: inner: unknown key 'kid'; allowed: kind; try: kind", "f: inner: unknown key 'zz'; allowed: kind, share",
          "f: inner.kind = 3; allowed: steady, interrupted", "f: inner.share = -1; allowed: a number, 0 or more"]),
        ({"low": float("nan"), "limit": "\0", "x\0": 1},
         ["f is 'x\\x00'; allowed: text in Unicode without NUL", "f: low = nan; allowed: a finite number",
          "f: limit = '\\x00'; allowed: text in Unicode without NUL"]),
    ],
    ids=lambda x: "",
)  # fmt: skip
def test_all_faults_are_said_at_once(value, lines):
    with pytest.raises(BadInput) as caught:
        validate(Ruled, value, "f")
    assert str(caught.value).splitlines() == lines
    assert isinstance(caught.value, ManyRefusals) == (len(lines) > 1)


def test_a_file_that_a_program_wrote_keeps_its_error():
    with pytest.raises(TableError) as caught:
        validate(Ruled, {"low": "x", "high": "y"}, "f", Style(TableError, "again"))
    assert str(caught.value) == "f: low = 'x'; allowed: a whole number; try: again"


def test_what_fits_of_a_draft_can_be_read_and_the_rest_is_passed_over():
    found = Refusals()
    made = draft(Ruled, {"low": 3, "high": "x"}, "f", found)
    assert made.low == 3 and made.limit == 5 and isinstance(made, Ruled) and len(found.errors) == 1
    with found.collect():
        raise BadInput(f"{made.high}, which nobody reads")
    assert len(found.errors) == 1
    assert draft(Ruled, {"low": 3}, "f", Refusals()) == Ruled(3)


def test_instances_made_in_python_are_checked_whole():
    with pytest.raises(ManyRefusals) as caught:
        Ruled(20, limit=200)
    assert str(caught.value) == "low = 20 above high\nlimit = 200; allowed: 100"


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_deep_nesting_is_one_line(opening):
    value: Any = 1
    for _ in range(900):
        value = [value] if opening == "[" else {"a": value}
    with pytest.raises(BadInput, match=r"f: free\.a.*at most 60 levels"):
        validate(Outer, {"name": "x", "free": {"a": value}}, "f")


NUMBERS = st.booleans() | st.integers() | st.floats() | st.integers(20, 6000).map(lambda digits: -(10**digits))
TEXTS = st.text() | st.text(st.characters(categories=["Cs"]), max_size=3)
ANYTHING = st.recursive(
    st.none() | NUMBERS | TEXTS | st.dates(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=10,
)


@given(value=ANYTHING | st.fixed_dictionaries({}, optional=dict.fromkeys(WHOLE, ANYTHING)), whole=st.booleans())
def test_whatever_is_given(value, whole):
    if whole and isinstance(value, dict):
        value = WHOLE | value
    try:
        found = validate(Outer, value, "f")
    except BadInput as error:
        for line in str(error).splitlines():
            assert line.isprintable() and len(line) < 500 and line.encode()
    else:
        assert isinstance(found, Outer) and isinstance(found.inner, Inner) and found.inner.share >= 0
        assert all(pair.ms > 0 and 1 <= pair.n <= 9 for pair in found.entries.values())


@pytest.mark.parametrize("wrong", [{"kind": "x"}, {"share": "1"}, {"share": -1.0}, {"share": float("inf")}], ids=str)
def test_instances_made_in_python_are_checked(wrong):
    with pytest.raises(BadInput, match=f"{next(iter(wrong))} = "):
        Inner(**wrong)


def test_plain_values():
    check_plain({"a": [1, "x", None, True, 1.5]}, "here")
    with pytest.raises(BadInput, match=r"here: a\.0 = <object"):
        check_plain({"a": [object()]}, "here")


@given(ANYTHING)
def test_every_value_can_be_shown(value):
    assert shown(value).isprintable() and len(shown(value)) <= 61


def test_the_schema_says_the_same():
    schema = json_schema(Outer)
    assert schema["required"] == ["name"] and schema["additionalProperties"] is False
    inner = schema["$defs"]["Inner"]
    assert inner["description"] == "A part." and inner["properties"]["kind"] == {
        "default": "steady", "description": "Its kind.", "enum": ["steady", "interrupted"], "type": "string",
    }  # fmt: skip
    assert schema["properties"]["code"]["pattern"] == "^(?:sm[0-9]+)$"
    assert schema["properties"]["pixels"]["anyOf"][1]["examples"] == ["1,2"]


def test_pydantic_is_imported_where_something_is_checked_only():
    code = "import sys, hwnas, lut, profilers.base, profilers.timing.fingerprint, profilers.runtimes.tensorrt.manifest"
    done = subprocess.run([sys.executable, "-c", f"{code}; print('pydantic' in sys.modules)"], capture_output=True,
                          text=True, check=True)  # fmt: skip
    assert done.stdout == "False\n"
