"""Beginning a run anew removes what a search wrote, and nothing else."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import pytest

from hwnas.api.searching import run_config
from hwnas.search.clearing import clear
from hwnas.search.run import create_run, open_run
from profilers.errors import BadInput
from tests.hwnas.searching import CONFIG, SMALL, Formula, contents, run_search

BRIEF = replace(CONFIG, search=replace(SMALL, iterations=0))


@pytest.fixture
def run(tmp_path):
    """A finished run with things of others in its folder."""
    run_search(tmp_path / "r", iterations=0).archive.close()
    for name in ("report.html", "weights/mine.txt", "tables/mine.json"):
        (tmp_path / "r" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "r" / name).write_text("mine")
    (tmp_path / "r" / "weights" / "0123456789.safetensors").write_text("of the search")
    return tmp_path / "r"


def test_only_its_own_files_are_removed(run):
    clear(run, CONFIG)
    left = sorted(str(p.relative_to(run)) for p in run.rglob("*") if p.is_file())
    assert left == ["report.html", "tables/mine.json", "weights/mine.txt"]
    create_run(run, CONFIG).archive.close()


def test_an_archive_of_something_else_is_never_removed(tmp_path):
    sqlite3.connect(tmp_path / "archive.sqlite").execute("CREATE TABLE x (y)").connection.close()
    (tmp_path / "run.toml").write_text("mine = 1")
    with pytest.raises(BadInput, match="exists and is something else"):
        clear(tmp_path, CONFIG)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["archive.sqlite", "run.toml"]


def test_a_run_does_not_start_from_itself_and_anew(run):
    with pytest.raises(BadInput, match="--fresh removes"):
        clear(run, replace(CONFIG, init_from=run))


def test_a_finished_run_is_kept_and_said_and_another_refused(run, capsys):
    with open_run(run) as opened:
        before = contents(opened)
    found = run_config(BRIEF, run, source=Formula())
    assert len(found.networks) == len(before[0])
    assert "finished: kept (--fresh begins anew)" in capsys.readouterr().err
    with pytest.raises(BadInput, match=r"seed was 1, is 5; allowed: the same; try: another --out, or --fresh"):
        run_config(replace(BRIEF, seed=5), run, source=Formula())
    run_config(replace(BRIEF, seed=5), run, source=Formula(), fresh=True)
    with open_run(run) as opened:
        assert opened.config.seed == 5 and contents(opened) != before
    assert not (run / ".lock").exists()
