"""An objective of one's own that fails for some networks: they are left out, with the reason; the search goes on."""

import sys
import time
from dataclasses import replace

import numpy as np
import pytest

import hwnas
from hwnas.search import network_values
from hwnas.search.archive import FAILED, OK
from hwnas.search.driver import search
from hwnas.search.made_objectives import made
from hwnas.search.nearest import nearest
from hwnas.search.own_objectives import ObjectiveSettings, OwnObjective, same_source
from hwnas.search.problem import Problem
from hwnas.search.run import create_run, open_run, resume_run
from hwnas.select.guaranteed import select_from_run
from profilers.errors import BadInput
from tests.hwnas.searching import CONFIG, SMALL, SPACE, Formula, contents, genes

BRIEF = replace(SMALL, iterations=1)
SMALLEST = sum(layer.params for layer in SPACE.layers(SPACE.extremes()[0]))


def broken(view) -> bool:
    """Of the smallest network, which is evaluated in any case, and of a fifth of the others; not of the largest."""
    return view["params"] == SMALLEST or sum(view["ks"]) % 5 == 0


def raises():
    raise ValueError("no such board")


FAILURES = {
    "raises": (raises, "ValueError: no such board"),
    "nan": (lambda: float("nan"), "the value nan, which is no finite number"),
    "infinite": (lambda: float("inf"), "the value inf, which is no finite number"),
    "nothing": (lambda: None, "TypeError: float"),
    "text": (lambda: "much", "ValueError: could not convert string to float: 'much'"),
    "exits": (lambda: sys.exit(0), "SystemExit: it called sys.exit(0)"),
    "exits quietly": (lambda: sys.exit(), "SystemExit: it called sys.exit(None)"),
}


def objective(fail, where=broken, **more) -> OwnObjective:
    return OwnObjective("energy", network=lambda view: fail() if where(view) else float(view["madds"]), **more)


def config(**more):
    sections = {"energy": ObjectiveSettings("given")}
    return replace(
        CONFIG, **{"objectives": ("top1", "params", "energy"), "search": BRIEF, "objective": sections} | more
    )


def searched(folder, own, **more):
    with create_run(folder, config(**more), {"energy": own}) as run:
        search(run, Formula())
        return run.archive.evaluations(), run.archive.iterations()


def without_counts(run):
    """Contents of a run; those that were left out are counted in a process."""
    rows, steps, proposals = contents(run)
    return rows, [{k: v for k, v in step.items() if not k.startswith("left_out")} for step in steps], proposals


def view_of(row):
    return network_values.network_view(SPACE, row.arch)


@pytest.mark.parametrize("how", FAILURES)
def test_a_network_that_it_fails_for_is_left_out_with_the_reason(tmp_path, how):
    fail, reason = FAILURES[how]
    rows, steps = searched(tmp_path / "r", objective(fail), search=replace(BRIEF, strategy="random"))
    failed = [row for row in rows if row.status == FAILED]
    assert [view_of(row)["params"] for row in failed] == [SMALLEST]  # which any search begins with
    assert failed[0].error.startswith(f"objective energy: {reason}") and failed[0].objectives["energy"] is None
    assert len(rows) == BRIEF.evaluations and not any(broken(view_of(row)) for row in rows if row.status == OK)
    assert steps[0]["failed"] == 1 and steps[0]["left_out"] > 3 and reason in steps[0]["left_out_for"]


@pytest.mark.parametrize("more", [{}, {"budget": {"params": 40_000.0}}, {"search": replace(BRIEF, inner="nsga3")}])
def test_none_is_proposed_by_a_surrogate(tmp_path, more):
    rows, steps = searched(tmp_path / "r", objective(raises), **more)
    assert len(rows) == BRIEF.evaluations and steps[1]["left_out"] > 0
    assert [row.number for row in rows if broken(view_of(row))] == [row.number for row in rows if row.status == FAILED]


def test_one_that_hangs_is_ended_in_its_time(tmp_path):
    own = objective(lambda: time.sleep(60), lambda view: view["params"] == SMALLEST, timeout=0.05)
    rows, _ = searched(tmp_path / "r", own, search=replace(BRIEF, strategy="random", iterations=0))
    said = "objective energy: no value within 0.05 s (objective.energy.timeout)"
    assert [row.error for row in rows if row.error] == [said]


def test_the_programs_own_alarm_goes_off_all_the_same():
    import signal

    from hwnas.accuracy import timeout

    heard = []
    before = signal.signal(signal.SIGALRM, lambda *_: heard.append(1))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with timeout.within(5):
            pass
        assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] <= 0.05
        end = time.monotonic() + 10
        while not heard and time.monotonic() < end:
            time.sleep(0.01)
        assert heard
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_it_is_continued_to_the_same_rows_and_read_without_the_code(tmp_path):
    longer = config(search=replace(SMALL, iterations=2))
    own = {"energy": objective(raises)}
    with create_run(tmp_path / "whole", longer, own) as run:
        search(run, Formula())
        whole = without_counts(run)
    searched(tmp_path / "r", own["energy"])
    with resume_run(tmp_path / "r", longer, own) as run:
        search(run, Formula())
        assert without_counts(run) == whole
    with open_run(tmp_path / "r") as run:
        assert select_from_run(run, n=2).choices
        failed = np.array([row.genes for row in run.archive.evaluations() if row.status == FAILED])
        assert np.isinf(run.problem.excess(failed)).all()


def test_people_are_told(tmp_path):
    def top1(view):
        return 60.0 + view["r"]

    run = hwnas.search("tiny", top1, objectives=["top1", objective(raises)], out=tmp_path / "r", initial=8,
                       iterations=0, seed=1)  # fmt: skip
    said = "\n".join(run.remarks)
    assert "1 of 8 evaluations failed:\n  1 x objective energy: ValueError: no such board" in said
    assert "left out, for which an objective has no value: energy: ValueError: no such board" in said
    page = run.report(tmp_path / "page.html").read_text()
    assert "objective energy: ValueError: no such board" in page
    assert run.figures["failed"] == 1


class TestGivingUp:
    def test_where_it_fails_for_most_of_the_first(self, tmp_path):
        line = r"objective energy fails for 66 of the first 66 networks: ValueError: no such board; allowed: a finite"
        with pytest.raises(BadInput, match=line):
            create_run(tmp_path / "r", config(), {"energy": objective(raises, lambda view: True)})
        assert not (tmp_path / "r").exists()

    def test_where_it_fails_for_one_network_after_another(self, tmp_path):
        calls = []
        own = objective(raises, lambda view: len(calls) > 150 or calls.append(1))
        with create_run(tmp_path / "r", config(), {"energy": own}) as run:
            with pytest.raises(BadInput, match="fails for 100 networks in a row: ValueError: no such board"):
                search(run, Formula())
            assert all(row.status == OK for row in run.archive.evaluations())
        mended = {"energy": objective(raises, lambda view: False)}
        with resume_run(tmp_path / "r", config(), mended) as run:
            search(run, Formula())
            rows = without_counts(run)
        with create_run(tmp_path / "whole", config(), mended) as run:
            search(run, Formula())
            assert without_counts(run) == rows

    def test_a_value_of_the_run_that_is_none_now(self, tmp_path):
        searched(tmp_path / "r", objective(raises))
        line = "objective energy fails for a network of the run: ValueError: no such board; allowed: the values that"
        with pytest.raises(BadInput, match=line):
            resume_run(tmp_path / "r", config(), {"energy": objective(raises, lambda view: True)})


def test_the_time_may_be_changed():
    one = ObjectiveSettings("network:m:f", timeout=1.0)
    assert same_source(one, ObjectiveSettings("network:m:f"))
    with pytest.raises(BadInput, match="timeout"):
        ObjectiveSettings("network:m:f", timeout=0.0)


def test_the_nearest_to_a_budget_has_a_value():
    objectives = {"energy": made(SPACE, objective(raises))}
    found, over = nearest(SPACE, objectives, {"energy": 1.0}, np.random.default_rng(0))
    assert np.isfinite(over) and np.isfinite(Problem(SPACE, objectives, ("energy",)).costs(found)).all()
    some = genes(40)
    assert np.isinf(Problem(SPACE, objectives, ("energy",)).used(some)).sum() > 5
