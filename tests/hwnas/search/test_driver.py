"""The outer loop: better than chance, reproducible, and the same after any number of kills."""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kendalltau, spearmanr

from hwnas.search.driver import search
from hwnas.search.run import create_run, locked, open_run, resume_run
from hwnas.search.strategies import switch_due
from hwnas.surrogates import MODELS
from profilers.errors import BadInput, FileProblem
from tests.hwnas.searching import CONFIG, SMALL, SPACE, Formula, contents, run_search

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    with run_search(tmp_path_factory.mktemp("runs") / "r") as run:
        yield run


class TestRun:
    def test_evaluates_what_was_asked_each_network_once(self, finished):
        rows = finished.archive.evaluations()
        assert [e.number for e in rows] == list(range(SMALL.evaluations))
        assert len({e.arch.id for e in rows}) == len(rows)
        assert [e.iteration for e in rows] == [0] * 16 + [1] * 4 + [2] * 4 + [3] * 4
        assert rows[0].arch == SPACE.extremes()[0] and rows[1].arch == SPACE.extremes()[1]

    def test_figures_are_of_predictions_made_before(self, finished):
        steps = finished.archive.iterations()
        volumes = [s["hypervolume"] for s in steps]
        assert volumes == sorted(volumes) and steps[0]["rmse"] is None and steps[0]["surrogate"] is None
        for k, step in enumerate(steps[1:], 1):
            predicted = np.array([p.predicted for p in finished.archive.proposal(k)])
            true = np.array([e.objectives["top1"] for e in finished.archive.evaluations() if e.iteration == k])
            assert step["rmse"] == pytest.approx(np.sqrt(np.mean((predicted - true) ** 2)))
            assert step["optimism"] == pytest.approx(np.mean(predicted - true))
            assert step["kendall"] == pytest.approx(kendalltau(predicted, true).statistic)
            assert step["spearman"] == pytest.approx(spearmanr(predicted, true).statistic)
            assert step["surrogate"] == "gp"

    def test_the_folder_stands_alone(self, finished):
        with open_run(finished.folder) as again:
            assert again.config == finished.config and contents(again) == contents(finished)

    @pytest.mark.slow
    def test_the_same_seed_gives_the_same_run_and_another_another(self, finished, tmp_path):
        with run_search(tmp_path / "a") as same, run_search(tmp_path / "b", seed=2) as other:
            assert contents(same) == contents(finished) != contents(other)

    @pytest.mark.slow
    @pytest.mark.parametrize("seed", [1, 2])
    def test_beats_random_and_plain_nsga2(self, tmp_path, seed):
        volumes = {}
        for strategy in ("msunas", "random", "nsga2"):
            with run_search(tmp_path / strategy, strategy=strategy, iterations=6, seed=seed) as run:
                assert len(run.archive.evaluations()) == 40
                volumes[strategy] = run.archive.iterations()[-1]["hypervolume"]
        assert volumes["msunas"] > max(volumes["random"], volumes["nsga2"])

    @pytest.mark.parametrize("changes", [{"choose": "paper"}, {"inner": "nsga3"}, {"initial_sampling": "uniform"}])
    def test_every_setting_leads_to_other_networks(self, finished, tmp_path, changes):
        with run_search(tmp_path / "r", **changes) as run:
            ids, before = ([e.arch.id for e in r.archive.evaluations()] for r in (run, finished))
        assert len(ids) == len(before) == SMALL.evaluations and ids != before

    @pytest.mark.parametrize("surrogate", ["rbf", "cart"])
    def test_the_surrogate_is_the_one_asked_for(self, finished, tmp_path, surrogate):
        with run_search(tmp_path / "r", surrogate=surrogate, iterations=1) as run:
            predicted = [p.predicted for p in run.archive.proposal(1)]
            assert run.archive.iterations()[1]["surrogate"] == surrogate
        assert predicted != [p.predicted for p in finished.archive.proposal(1)]

    def test_auto_says_which_surrogate_it_chose(self, tmp_path):
        with run_search(tmp_path / "r", surrogate="auto", iterations=1) as run:
            assert run.archive.iterations()[1]["surrogate"] in MODELS

    @pytest.mark.slow
    def test_failures_are_recorded_and_searched_around(self, finished, tmp_path):
        broken = frozenset(e.arch.id for e in finished.archive.evaluations()[::3])
        source = Formula(broken)
        with run_search(tmp_path / "r", source) as run:
            rows = run.archive.evaluations()
            assert {e.arch.id for e in rows if e.status == "failed"} == broken & {e.arch.id for e in rows}
            assert all(
                e.objectives["top1"] is None and "out of memory" in e.error for e in rows if e.status == "failed"
            )
            assert len(source.asked) == len(set(source.asked)) == len(rows)
            assert run.archive.iterations()[-1]["failed"] == sum(e.status == "failed" for e in rows)

    def test_nothing_can_be_evaluated(self, tmp_path):
        class Broken:
            def evaluate(self, arch):
                raise RuntimeError("no data set")

        with pytest.raises(
            BadInput, match=r"5 of the first 5 evaluations failed: RuntimeError: no data set; .*--fresh"
        ):
            run_search(tmp_path / "r", Broken())

    def test_an_accuracy_that_is_none(self, tmp_path):
        class Wrong:
            def evaluate(self, arch):
                return 101.0 if len(arch.ks) % 2 else float("nan")

        with pytest.raises(BadInput):
            run_search(tmp_path / "r", Wrong())
        with open_run(tmp_path / "r") as run:
            assert all("a percentage" in e.error for e in run.archive.evaluations())

    def test_budgets_are_kept(self, tmp_path):
        limit = 40_000.0
        with run_search(tmp_path / "r", budget={"params": limit}) as run:
            rows = run.archive.evaluations()[2:]  # behind the two anchors
            assert all(e.objectives["params"] <= limit for e in rows)

    def test_one_scalarised_objective(self, tmp_path):
        from hwnas.search.problem import Scalarise

        with run_search(tmp_path / "r", objectives=("top1",), scalarise=Scalarise("madds", 1e5)) as run:
            rows = run.archive.evaluations()
            score = [e.objectives["top1"] * (e.objectives["madds"] / 1e5) ** -0.07 for e in rows]
            assert max(score[16:]) > max(score[:16])


class TestResume:
    def test_more_iterations_continue_the_same_run(self, finished, tmp_path):
        with run_search(tmp_path / "r", iterations=1):
            pass
        with resume_run(tmp_path / "r", finished.config) as run:
            search(run, Formula())
            assert contents(run) == contents(finished)

    def test_another_configuration_is_refused(self, tmp_path):
        with run_search(tmp_path / "r", iterations=0):
            pass
        for other in (replace(CONFIG, seed=5), replace(CONFIG, search=replace(SMALL, initial=17))):
            with pytest.raises(BadInput, match="another configuration"):
                resume_run(tmp_path / "r", other)
        with pytest.raises(BadInput, match=r"holds a run; try: another --out, .*--fresh"):
            create_run(tmp_path / "r", CONFIG)

    def test_two_processes_do_not_search_in_one_folder(self, tmp_path):
        with locked(tmp_path), pytest.raises(BadInput, match=rf"process {os.getpid()} is"), locked(tmp_path):
            pass

    def test_a_folder_without_a_run(self, tmp_path):
        with pytest.raises(FileProblem):
            open_run(tmp_path)

    @pytest.mark.slow
    @pytest.mark.parametrize("seed", [1, 2])
    def test_killed_three_times_it_ends_in_the_same_archive(self, tmp_path, seed):
        """SIGKILL at random moments, of evaluation and of search; compared with a run that was left alone."""
        rng = np.random.default_rng(seed)
        for after in sorted(rng.integers(1, 27, 3)):
            kill_after(start(tmp_path / "killed"), tmp_path / "killed", int(after), rng.uniform(0, 0.1))
        assert start(tmp_path / "killed").wait() == 0
        with open_run(tmp_path / "killed") as killed, run_search(tmp_path / "whole") as whole:
            assert contents(killed) == contents(whole)


RUNNER = """
import sys, time
from pathlib import Path
from hwnas.search.driver import search
from hwnas.search.run import locked, resume_run
from tests.hwnas.searching import CONFIG, Formula
class Slow(Formula):
    def evaluate(self, arch):
        time.sleep(0.02)
        return super().evaluate(arch)
folder = Path(sys.argv[1])
with locked(folder), resume_run(folder, CONFIG) as run:
    search(run, Slow())
"""


def start(folder: Path) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", RUNNER, str(folder)], cwd=ROOT, stderr=subprocess.DEVNULL)


def kill_after(process: subprocess.Popen, folder: Path, rows: int, delay: float) -> None:
    """Kill a search once its archive has that many rows (it may have them from before) and a moment has passed."""
    import sqlite3

    path = folder / "archive.sqlite"
    while process.poll() is None:
        try:
            with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
                if connection.execute("SELECT COUNT(*) FROM evaluations").fetchone()[0] >= rows:
                    break
        except sqlite3.OperationalError:
            pass
        time.sleep(0.01)
    time.sleep(delay)
    assert process.poll() is None, "it ended before it could be killed"
    process.kill()
    process.wait()


def test_golden_run(tmp_path):
    """The networks that seed 1 leads to. If a change to the method is wanted, write the new ones:
    HWNAS_WRITE_GOLDEN=1 pytest tests/hwnas/search/test_driver.py -k golden"""
    path = Path(__file__).parents[1] / "golden_search.json"
    with run_search(tmp_path / "r") as run:
        rows = run.archive.evaluations()
        found = {"ids": [e.arch.id for e in rows], "hypervolume": run.archive.iterations()[-1]["hypervolume"]}
    if os.environ.get("HWNAS_WRITE_GOLDEN"):
        path.write_text(json.dumps(found, indent=1) + "\n")
    golden = json.loads(path.read_text())
    assert found["ids"] == golden["ids"]
    assert found["hypervolume"] == pytest.approx(golden["hypervolume"], rel=1e-9)


def test_surrogates_are_compared_when_the_archive_has_grown():
    settings = replace(SMALL, initial=100, per_iteration=8, iterations=30)
    due = [k for k in range(1, 31) if switch_due(settings, k)]
    assert due[0] == 1 and len(due) == 3
    rows = np.array([100 + 8 * (k - 1) for k in due])
    assert (rows[1:] >= 1.5 * rows[:-1]).all() and (rows[1:] < 1.5 * rows[:-1] + 8).all()
