from __future__ import annotations

import io
import re
import threading
from contextvars import copy_context

import pytest
from rich.cells import cell_len

from profilers import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_no_terminal_means_plain_lines():
    stream = io.StringIO()
    with progress.track(4, "timing", stream=stream, seconds=0) as bar:
        bar.advance()
        bar.note("L07")
        bar.advance(3)
    first, last = stream.getvalue().splitlines()
    assert re.fullmatch(r"timing: 1/4, \d+ s, about \d+ s left", first)
    assert re.fullmatch(r"timing: 4/4, \d+ s, about 0 s left, L07", last)


def test_plain_lines_come_now_and_then_only():
    stream = io.StringIO()
    with progress.track(1000, "timing", stream=stream) as bar:
        for _ in range(1000):
            bar.advance()
    assert stream.getvalue() == ""


def test_a_terminal_gets_a_bar_without_a_thread_of_its_own():
    stream, threads = Terminal(), threading.active_count()
    with progress.track(3, "timing", stream=stream, done=1, seconds=0) as bar:
        for _ in range(4):
            bar.advance(0.5)
        assert threading.active_count() == threads
    assert "timing" in stream.getvalue() and "1/3" in stream.getvalue() and "3/3" in stream.getvalue()


@pytest.mark.parametrize("width", [40, 80, 200])
def test_numbers_are_never_cut_and_a_note_has_a_line_of_its_own(monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    stream = Terminal()
    with progress.track(3600, "latency table (in-context) of a network 網" * 2, stream=stream, seconds=0) as bar:
        bar.advance(1234)
        bar.note("mbv3 [bold] 224 " * 20)
    drawn = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", stream.getvalue()).replace("\r", "\n")
    whole = [line for line in drawn.splitlines() if line.startswith("latency")]
    assert re.search(r" 1234/3600 0:00:00 left \S+$", whole[-1])
    assert ("━" in whole[-1]) is (width == 200)
    notes = [line for line in drawn.splitlines() if line.startswith("  mbv3 [bold] 224")]
    assert notes and max(cell_len(line) for line in whole + notes) <= width


def test_without_a_terminal_a_line_a_minute(monkeypatch):
    seconds = iter(range(0, 600, 7))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(seconds))
    stream = io.StringIO()
    with progress.track(80, "timing", stream=stream) as bar:
        for _ in range(70):
            bar.advance()
    said = [int(re.search(r", (\d+) s,", line)[1]) for line in stream.getvalue().splitlines()]
    assert said == [63, 126, 189, 252, 315, 378, 441]


def test_work_done_earlier_is_left_out_of_the_estimate(monkeypatch):
    now = iter(range(100, 200, 10))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(now))
    stream = io.StringIO()
    with progress.track(10, "timing", stream=stream, done=8, seconds=0) as bar:
        bar.advance()  # 10 s for one: another 10 s for the last
    assert "9/10, 10 s, about 10 s left" in stream.getvalue()


def test_what_is_not_needed_leaves_the_total():
    for stream in (io.StringIO(), Terminal()):
        with progress.track(10, "timing", stream=stream, seconds=0) as bar:
            bar.advance()
            bar.reduce_total(6)
            bar.advance()
        assert "1/10" in stream.getvalue() and "2/4" in stream.getvalue()


def test_threads_have_a_line_each_and_say_whose_it_is(capsys):
    """On a terminal all bars are below each other; elsewhere lines begin with the thread's name."""
    for stream, wanted in (
        (Terminal(), ["left: table", "right: table", "left: half"]),
        (io.StringIO(), ["right: table: 2/2"]),
    ):

        def work(name, stream=stream):
            progress.work_at(name)
            with progress.track(2, "table", stream=stream, seconds=0) as bar:
                bar.advance(2)
                progress.say("half [way]")

        with progress.side_by_side(stream):
            for name in ("left", "right"):
                thread = threading.Thread(target=copy_context().run, args=(work, name))
                thread.start()
                thread.join()
        said = stream.getvalue() + capsys.readouterr().err
        assert all(text in said for text in [*wanted, "right: half [way]"]), said
    assert progress._shared.get() is None and progress._name.get() == ""
