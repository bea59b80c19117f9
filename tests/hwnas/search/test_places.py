"""A run that was moved, copied, or lies where nothing can be written."""

import shutil
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from hwnas.report import load_run
from hwnas.search import connections
from hwnas.search.config_files import load
from hwnas.search.driver import search
from hwnas.search.executors import start
from hwnas.search.places import same_accuracy
from hwnas.search.run import create_run, open_run, resume_run
from hwnas.search.worker import open_source
from hwnas.select.guaranteed import select_from_run
from profilers.errors import BadInput, HwnasError
from tests.hwnas.searching import CONFIG, Formula, contents, run_search

ROOT = Path(__file__).resolve().parents[3]
TEXT = """
space = "tiny"
accuracy = "python:my_moved:top1"
objectives = ["top1", "params", "madds"]
[search]
initial = 12
iterations = 1
per_iteration = 2
surrogate = "gp"
population = 12
generations = 2
"""
MODULE = "def top1(arch):\n    return 99 - 900 / (sum(arch['ks']) * 4 + arch['r'])\n"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project folder with a configuration, a module and a run."""
    monkeypatch.delitem(sys.modules, "my_moved", raising=False)
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "c.toml").write_text(TEXT)
    (folder / "my_moved.py").write_text(MODULE)
    whole(folder).archive.close()
    return folder


def whole(folder, more=0):
    """The run of a project, searched to its end and `more` iterations; open."""
    config = load(folder / "c.toml", [f"search.iterations={1 + more}"])
    run = resume_run(folder / "run", config)
    with start(config.source(), config.executor) as executor:
        search(run, executor)
    return run


def test_a_moved_project_is_continued(project, tmp_path, monkeypatch):
    shutil.copytree(project, tmp_path / "reference")
    moved = Path(shutil.move(project, tmp_path / "elsewhere"))
    with open_run(moved / "run") as run:
        rows = run.archive.evaluations()
        assert select_from_run(run, n=2).choices and len(load_run(moved / "run").done) == 14
    monkeypatch.delitem(sys.modules, "my_moved", raising=False)
    with whole(moved, more=1) as run:
        again = contents(run)
        assert run.archive.evaluations()[:14] == rows and len(again[0]) == 16
    assert f'"python:{moved}/my_moved:top1"' in (moved / "run/run.toml").read_text()
    with open_run(moved / "run") as run:
        assert contents(run) == again


def test_without_its_outside_files_it_says_what_is_missing_when_that_is_needed(project, tmp_path, monkeypatch):
    alone = Path(shutil.move(project / "run", tmp_path / "alone"))
    (project / "my_moved.py").unlink()
    with open_run(alone) as run:
        assert len(run.archive.evaluations()) == 14 and select_from_run(run, knee=True).choices
    monkeypatch.delitem(sys.modules, "my_moved", raising=False)
    open_source.cache_clear()
    config = load(project / "c.toml")
    with pytest.raises(BadInput, match="my_moved:top1 cannot be imported"):
        start(config.source(), config.executor)


def test_another_source_of_the_same_name_is_another_run(project, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "c.toml").write_text(TEXT)
    (other / "my_moved.py").write_text(MODULE.replace("900", "800"))
    with pytest.raises(BadInput, match="accuracy was"):
        resume_run(project / "run", load(other / "c.toml"))
    (other / "my_moved.py").write_text(MODULE)  # a copy
    resume_run(project / "run", load(other / "c.toml")).archive.close()


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("given", "given", True),
        ("given", "table:/a/t.csv", False),
        ("table:/gone/t.csv", "table:/a/t.csv", True),
        ("table:/gone/t.csv", "table:/a/u.csv", False),
        ("table:/gone/t.csv", "supernet:/a/t.csv", False),
        ("mine:50", "mine:60", False),
    ],
)
def test_when_two_sources_are_one(old, new, same):
    assert same_accuracy(old, new) is same


def test_what_lies_inside_the_run_goes_with_it(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "known.csv").write_text("id,top1\nx,70\n")
    images = {"dataset": f"folder:{folder}/images?damaged=skip"}
    config = replace(CONFIG, accuracy=f"table:{folder}/known.csv", evaluate=images)
    create_run(folder, config).archive.close()
    text = (folder / "run.toml").read_text()
    assert 'accuracy = "table:known.csv"' in text and 'dataset = "folder:images?damaged=skip"' in text
    moved = Path(shutil.move(folder, tmp_path / "there"))
    with open_run(moved) as run:
        assert run.config.accuracy == f"table:{moved}/known.csv"
        assert run.config.evaluate["dataset"] == f"folder:{moved}/images?damaged=skip"


class TestReading:
    @pytest.fixture
    def folder(self, tmp_path):
        with run_search(tmp_path / "r", iterations=0):
            pass
        return tmp_path / "r"

    def test_a_run_that_is_open_to_be_read_is_not_written(self, folder):
        before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
        with open_run(folder) as run, pytest.raises(BadInput, match="opened to be read"):
            search(replace(run, config=replace(run.config, search=replace(run.config.search, iterations=1))), Formula())
        assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before

    def test_where_sqlite_can_make_no_file(self, folder, monkeypatch):
        """As on a read-only file system, whoever runs the tests."""
        whole = connections.connect

        def refuse(path, uri=False):
            if not uri and Path(path).parent == folder:
                raise sqlite3.OperationalError("unable to open database file")
            return whole(path, uri)

        monkeypatch.setattr(connections, "connect", refuse)
        with open_run(folder) as run:
            assert len(run.archive.evaluations()) == 16
        unfinished(folder)
        with open_run(folder) as run:
            assert len(run.archive.evaluations()) == 15  # what only the WAL knew is seen
        with pytest.raises(HwnasError):
            resume_run(folder, CONFIG)

    @pytest.mark.slow
    @pytest.mark.parametrize("left", [False, True], ids=["clean", "killed"])
    def test_on_a_file_system_that_is_read_only(self, folder, left):
        if left:
            unfinished(folder)
        done = read_only(folder, READ)
        if done.returncode == 77:
            pytest.skip("no file system can be mounted here: " + done.stderr.strip())
        assert done.returncode == 0, done.stderr
        assert done.stdout.split() == ["15" if left else "16", "1"]


def unfinished(folder):
    """Leave a WAL with a change behind, as a killed search does."""
    code = """
import os, sqlite3, sys
c = sqlite3.connect(sys.argv[1])
c.execute("DELETE FROM evaluations WHERE number = 15")
c.execute("DELETE FROM iterations")
c.commit()
os._exit(0)
"""
    subprocess.run([sys.executable, "-c", code, folder / "archive.sqlite"], check=True)
    assert (folder / "archive.sqlite-wal").stat().st_size
    (folder / "archive.sqlite-shm").unlink()


READ = """
import sys
from pathlib import Path
from hwnas.report import load_run
from hwnas.search.run import open_run
from hwnas.search.worker import open_source
from hwnas.select.guaranteed import select_from_run
folder = Path(sys.argv[1])
try:
    (folder / "x").write_text("x")
    sys.exit("the folder can be written")
except OSError:
    pass
with open_run(folder) as run:
    print(len(run.archive.evaluations()), len(select_from_run(run, n=1).choices))
load_run(folder)
"""


def read_only(folder, code):
    """Run code in a mount namespace of its own in which the folder is read-only; 77 where there is no such thing."""
    mount = f"mount --bind {folder} {folder} && mount -o remount,ro,bind {folder} || exit 77"
    command = ["unshare", "-Urm", "sh", "-c", f'{mount}; exec "$0" -c "$1" "$2"', sys.executable, code, str(folder)]
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    except FileNotFoundError as error:
        return subprocess.CompletedProcess(command, 77, "", str(error))
