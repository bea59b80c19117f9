"""Ctrl-C and SIGTERM: one line that is true, the exit code that shells know, and nothing left behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hwnas.search.run import open_run
from profilers import temporary

# Started in the background a process ignores Ctrl-C, as a terminal's does not.
MAIN = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from hwnas.cli import main; main()"
SLOW = "import time\ndef top1(arch):\n    time.sleep(0.2)\n    return 60 + arch['r']\n"
CONFIG = """
space = "tiny"
accuracy = "python:slow:top1"
objectives = ["top1", "params"]
[search]
initial = 200
iterations = 0
"""


def start(folder, *arguments):
    """A command that leads a process group, as a shell's job does."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p), "TMPDIR": str(folder / "tmp")}
    (folder / "tmp").mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-c", MAIN, *map(str, arguments)], cwd=folder, start_new_session=True, env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def until(condition, seconds=100):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)


def evaluated(run):
    try:
        with open_run(run) as opened:
            return len(opened.archive.evaluations())
    except Exception:  # it is just being made
        return 0


def left_behind(folder):
    """Hidden files, temporaries, and what belongs to a lock or an open database."""
    found = [p.name for p in folder.rglob("*") if p.name.startswith(".") or p.name.endswith((".hwnas", "-wal", "-shm"))]
    return found + list((folder / "tmp").iterdir())


def of_session(session):
    """Processes of a session that still run."""
    lines = subprocess.run(["ps", "-eo", "sid=,stat="], capture_output=True, text=True, check=True).stdout.splitlines()
    return [x for x in map(str.split, lines) if int(x[0]) == session and not x[1].startswith("Z")]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code", "word", "more"),
    [(signal.SIGINT, 130, "interrupted", ["--workers", 2]), (signal.SIGTERM, 143, "terminated", ["--fresh"])],
)
def test_a_search(tmp_path, number, code, word, more):
    (tmp_path / "slow.py").write_text(SLOW)
    (tmp_path / "c.toml").write_text(CONFIG)
    process = start(tmp_path, "search", "c.toml", "--out", "run", *more)
    until(lambda: evaluated(tmp_path / "run") > 1)
    os.killpg(process.pid, number)
    _, err = process.communicate(timeout=60)
    *begun, last = err.strip().splitlines()
    there = evaluated(tmp_path / "run")
    again = "the same command without --fresh" if "--fresh" in more else "the same command"
    assert there > 1 and process.returncode == code
    assert last == f"hwnas: {word}; {there} evaluations are kept in run; {again} goes on"
    assert [line.split()[0] for line in begun] == ["space", "no"]  # what is searched, and that it has no budget
    assert left_behind(tmp_path) == [] and of_session(process.pid) == []


@pytest.mark.slow
def test_a_build_says_what_it_keeps_and_verifying_that_it_keeps_nothing(tmp_path):
    process = start(tmp_path, "lut", "build", "--space", "tiny", "--engine", "fake", "--out", "t.json")
    until((tmp_path / "t.json.partial").exists)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 143 and "Traceback" not in err
    assert "kept in t.json.partial; the same command goes on" in err.splitlines()[-1]
    assert left_behind(tmp_path) == []


def test_before_a_command_has_begun(monkeypatch, capsys):
    from hwnas import cli

    def interrupted(_arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_command_for", interrupted)
    with pytest.raises(SystemExit) as end:
        cli.main([])
    assert end.value.code == 130 and capsys.readouterr().err == "hwnas: interrupted; try: the same command again\n"


def test_where_typer_takes_an_interruption(monkeypatch, capsys):
    from hwnas import cli
    from profilers.interruption import Terminated

    def interrupted(*args, **more):
        raise Terminated

    monkeypatch.setattr(cli._Commands, "parse_args", interrupted)
    with pytest.raises(SystemExit) as end:
        cli.main(["engines"])
    assert end.value.code == 143 and capsys.readouterr().err == "hwnas: terminated; try: the same command again\n"


@pytest.mark.parametrize("said", ["could not create a primitive", "DefaultCPUAllocator: can't allocate memory: …"])
def test_torch_says_in_words_that_memory_is_lacking(monkeypatch, capsys, said):
    from hwnas import cli

    def fails(*args, **more):
        raise RuntimeError(said)

    monkeypatch.setattr(cli, "_carry_out", fails)
    with pytest.raises(SystemExit) as end:
        cli.main([])
    assert (end.value.code, capsys.readouterr().err.startswith("hwnas: out of memory; try: ")) == (2, True)
    monkeypatch.setattr(cli, "_NO_MEMORY", ("something else",))
    with pytest.raises(RuntimeError, match=re.escape(said)):  # a fault of ours
        cli.main([])


def test_a_handler_of_before_is_given_back():
    """In a process of its own: of the tests' one, a library may have taken the signals."""
    program = """
import os, signal, time
from profilers.interruption import Terminated, terminable
before = signal.getsignal(signal.SIGTERM)
try:
    with terminable():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)
except Terminated:
    print("terminated", signal.getsignal(signal.SIGTERM) is before)
"""
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout == "terminated True\n"


def test_a_library_that_takes_signals_does_not_keep_them():
    from profilers.interruption import own_signals

    before = signal.getsignal(signal.SIGTERM)
    with own_signals():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # as Ray does, with a handler of its own
    assert signal.getsignal(signal.SIGTERM) is before


def test_what_a_killed_process_left_is_removed_at_the_next_start(tmp_path):
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    place = temporary._place()
    stale, live, elsewhere, foreign = (
        tmp_path / name
        for name in (
            f".a.json.0a0a.{int(gone.stdout)}-{place}.hwnas",
            f".a.json.0a0a.{os.getppid()}-{place}.hwnas",
            f".a.json.0a0a.{int(gone.stdout)}-00000000.hwnas",
            ".a.json.tmp",
        )
    )
    for path in (live, elsewhere, foreign):
        path.touch()
    stale.mkdir()
    (stale / "model.onnx").touch()
    (stale / "link").symlink_to(foreign)
    with temporary.beside(tmp_path / "b.json") as held:
        held.touch()
        temporary.sweep(tmp_path, again=True)
        assert sorted(tmp_path.iterdir()) == sorted([held, live, elsewhere, foreign])
    assert not held.exists()


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_while_ray_begins_nothing_of_it_is_left(tmp_path, monkeypatch, number, code):
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'hwnas[ray]'")
    monkeypatch.setenv("RAY_TMPDIR", "/tmp")  # the names of its sockets have to be short
    (tmp_path / "slow.py").write_text(SLOW)
    (tmp_path / "search.toml").write_text(CONFIG + '[executor]\nkind = "ray"\n')
    process = start(tmp_path, "search", "search.toml", "--out", "run")
    mark = f"TMPDIR={tmp_path}/tmp".encode()
    until(lambda: len(marked(mark)) > 1)  # the first of Ray's own
    process.send_signal(number)
    _, said = process.communicate()
    assert process.returncode == code and said.splitlines()[-1].startswith("hwnas: "), said
    until(lambda: not marked(mark), 10)
    assert marked(mark) == []


def marked(text: bytes) -> list[Path]:
    """Processes that have it in their environment."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if text in (place / "environ").read_bytes():
                found.append(place)
        except OSError:
            continue
    return found
