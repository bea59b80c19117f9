"""A run while it is written: read from a copy, never written to, its last good reading kept."""

from __future__ import annotations

import shutil

import pytest

import hwnas
from hwnas.live.source import Pages, Watched
from hwnas.live.standing import LEAST_SILENCE, Pace, Standing, line
from hwnas.search import connections
from profilers.errors import FileProblem


@pytest.fixture
def search(tmp_path):
    """A search in progress: 6 networks to begin with, 2 more in the one iteration."""
    with hwnas.open_search(
        "tiny", objectives=["top1", "params"], initial=6, iterations=1, per_iteration=2, out=tmp_path / "run"
    ) as found:
        yield found


def tell(search, count: int) -> None:
    for network in search.ask(count):
        search.tell(network, top1=80.0 + network.to_json()["r"] / 10)


def test_what_is_committed_is_seen_and_nothing_is_written(search, tmp_path):
    tell(search, 3)
    elsewhere = tmp_path / "shared" / "run"  # as another machine sees it: the files, and no memory shared with SQLite
    shutil.copytree(search.folder, elsewhere, ignore=shutil.ignore_patterns("*-shm", ".lock"))
    before = {path.name: path.read_bytes() for path in elsewhere.iterdir() if path.is_file()}
    watched = Watched(elsewhere)
    assert (watched.standing.evaluated, watched.standing.total, len(watched.data.done)) == (3, 8, 3)
    assert not watched.refresh()
    assert {path.name: path.read_bytes() for path in elsewhere.iterdir() if path.is_file()} == before


def test_a_running_search_is_followed_to_its_end(search):
    pages = Pages([search.folder])
    assert "0 of 8 networks" in pages.lines and "Nothing to ship yet" in pages.text
    tell(search, 6)
    version = pages.version
    pages.refresh()
    assert pages.version == version + 1 and "6 of 8 networks" in pages.lines
    pages.refresh()
    assert pages.version == version + 1  # nothing is new
    (failed,) = search.ask(1)
    search.tell(failed, error="no <memory>")
    tell(search, 1)
    pages.refresh()
    assert "8 of 8 networks" in pages.lines and "finished" in pages.lines
    assert "1 failed: no <memory>" in pages.lines and "no &lt;memory&gt;" in pages.text


def test_a_reading_that_fails_keeps_the_one_before(search, monkeypatch):
    tell(search, 2)
    watched = Watched(search.folder)
    tell(search, 1)
    monkeypatch.setattr(connections, "_TRIES", 0)
    assert watched.refresh() and len(watched.data.done) == 2 and "cannot be read now" in watched.line
    monkeypatch.undo()
    assert watched.refresh() and len(watched.data.done) == 3 and "cannot" not in watched.line


def test_a_copy_is_taken_again_while_the_file_changes(tmp_path, monkeypatch):
    path, place, copy = tmp_path / "a.sqlite", tmp_path / "place", shutil.copyfile
    path.write_bytes(b"old")
    place.mkdir()
    writes = iter([b"newer", b"newest"])

    def disturbed(source, target):
        copy(source, target)
        if text := next(writes, None):
            path.write_bytes(text)

    monkeypatch.setattr(shutil, "copyfile", disturbed)
    monkeypatch.setattr(connections, "_PAUSE", 0.0)
    assert connections.snapshot(path, place).read_bytes() == b"newest"
    monkeypatch.setattr(connections, "_TRIES", 1)
    writes = iter([b"and so on"])
    with pytest.raises(FileProblem, match="faster than it can be copied"):
        connections.snapshot(path, place)


def test_the_end_is_estimated_by_what_was_seen_else_by_what_evaluations_took():
    found, pace = Standing("a", 10, 40, 1, 4, 6.0, ()), Pace()
    pace.note(10, 0.0)
    assert "about 3 min left" in line(found, pace, 0.0) and "one is evaluated after the other" in line(found, pace, 0.0)
    pace.note(12, 100.0)
    pace.note(16, 140.0)  # four in 40 s: what came before was not seen from its beginning
    assert "about 5 min left" in line(found, pace, 140.0) and "at the pace seen" in line(found, pace, 140.0)
    assert "it may have been stopped" in line(found, pace, 141.0 + LEAST_SILENCE + 200)
