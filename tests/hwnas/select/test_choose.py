"""Selection: by budget, preference, knee and spread, on a front whose answers are known."""

import pytest

from hwnas.search.archive import Evaluation
from hwnas.search.front import front
from hwnas.search.objectives import make_objectives
from hwnas.search.problem import Problem
from hwnas.select.choose import select_by_prediction as select
from hwnas.select.parse import parse_budget, parse_preference
from profilers.errors import BadInput
from tests.hwnas.searching import SPACE, genes

NAMES = ("top1", "params", "madds")
OBJECTIVES = make_objectives(SPACE, NAMES, {})
PROBLEM = Problem(SPACE, OBJECTIVES, NAMES)
# top1, params, madds: a, b, c and d are the front, e is dominated by b, f failed
VALUES = [(90, 4e4, 4e5), (85, 2e4, 2e5), (60, 1.5e4, 1e5), (89, 5e4, 3.9e5), (84, 3e4, 3e5), (None, 1e4, 1e4)]
ARCHS = SPACE.decode(genes(6))
ROWS = [
    Evaluation(i, 0, "failed" if t is None else "ok", ARCHS[i], tuple(genes(6)[i].tolist()),
               {"top1": t, "params": p, "madds": m}, None, 0.0)
    for i, (t, p, m) in enumerate(VALUES)
]  # fmt: skip


def names(choices) -> str:
    return "".join("abcdef"[c.evaluation.number] for c in choices)


def test_the_front():
    assert "".join("abcdef"[row.number] for row in front(PROBLEM, ROWS)) == "abcd"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"n": 1}, "a"),
        ({"n": 2}, "ac"),
        ({"n": 9}, "acbd"),
        ({"budget": {"madds": 2.5e5}, "n": 1}, "b"),
        ({"budget": {"madds": 3.9e5, "params": 3e4}, "n": 5}, "bc"),
        ({"budget": {"top1": 86}}, "ad"),
        ({"prefer": {"top1": 85, "madds": 2e5}, "n": 1}, "b"),
        ({"prefer": {"params": 1e4}, "n": 2}, "cb"),
        ({"knee": True, "n": 1}, "b"),
    ],
)
def test_choices(options, expected):
    assert names(select(PROBLEM, ROWS, **options)) == expected


def test_the_runs_own_budget_holds_too():
    problem = Problem(SPACE, OBJECTIVES, NAMES, {"madds": 2.5e5})
    assert names(select(problem, ROWS)) == "bc"
    assert names(select(problem, ROWS, budget={"madds": 1.5e5})) == "c"


def test_what_cannot_be_chosen():
    with pytest.raises(BadInput, match="nearest: madds 100000"):
        select(PROBLEM, ROWS, budget={"madds": 9e4})
    with pytest.raises(BadInput, match="could be evaluated"):
        select(PROBLEM, ROWS[-1:])
    with pytest.raises(BadInput):
        select(PROBLEM, ROWS, n=0)
    with pytest.raises(BadInput):
        select(PROBLEM, ROWS, knee=True, prefer={"top1": 3})


def test_choices_say_how_values_were_obtained():
    row = select(PROBLEM, ROWS, n=1)[0].to_json(PROBLEM)
    assert row["obtained"] == {"top1": "evaluated", "params": "exact", "madds": "exact"}
    assert row["id"] == ARCHS[0].id and row["why"] == "most accurate"
    assert (row["arch"], row["space"], row["classes"]) == (ARCHS[0].to_json(), "tiny", 10)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("madds<=300", ("madds", 3e8)), ("madds <= 300000", ("madds", 3e5)), ("params<=4.5M", ("params", 4.5e6)),
     ("params<=300k", ("params", 3e5)), ("top1>=76.5", ("top1", 76.5)), ("madds<=3e5", ("madds", 3e5))],
)  # fmt: skip
def test_budgets(text, expected):
    assert parse_budget(text, OBJECTIVES) == expected


@pytest.mark.parametrize(
    "text", ["madds", "madds<=", "madds>=3", "top1<=70", "cpu_ms<=10", "madds<=-3", "madds<=x", "madds<=nan", "=3"]
)
def test_budgets_that_do_not_fit(text):
    with pytest.raises(BadInput):
        parse_budget(text, OBJECTIVES)


def test_preferences():
    assert parse_preference("top1=80,madds=150", OBJECTIVES) == {"top1": 80.0, "madds": 1.5e8}
    for text in ("top1", "top2=3", "top1=x", ""):
        with pytest.raises(BadInput):
            parse_preference(text, OBJECTIVES)


def test_an_objective_that_the_run_no_longer_names_is_left_out():
    fewer = Problem(SPACE, {name: OBJECTIVES[name] for name in ("top1", "madds")}, ("top1", "madds"))
    chosen = select(fewer, ROWS, n=1)[0].to_json(fewer)
    assert set(chosen["objectives"]) == set(chosen["obtained"]) == {"top1", "madds"}
