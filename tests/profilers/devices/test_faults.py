"""What can be wrong with a device: one line each and exit code 2, never a wait without end, never a wrong number."""

from __future__ import annotations

import ast
import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import hwnas
from hwnas.cli import main
from profilers.base import Options, TimingPlan
from profilers.devices import connection, elsewhere, transport
from profilers.devices.connection import Connection
from profilers.devices.faults import DeviceBusy, LinkLost
from profilers.devices.hosts import close_all, place_at
from profilers.devices.lock import DeviceLock
from profilers.devices.package import modules
from profilers.devices.remote import remote_profilers
from profilers.devices.transport import LocalTransport
from profilers.timing.measurement import measuring
from tests.profilers.devices.conftest import agents, left_behind
from tests.profilers.devices.pythons import local
from tests.profilers.devices.strange import in_front, strange
from tests.profilers.models import chain

ROOT = Path(__file__).parents[3]
PLAN = TimingPlan(min_rounds=5, max_rounds=5, warmup_runs=2)


def fault(capsys, *arguments):
    """The one line of a command that ends with 2."""
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    close_all()
    (line,) = capsys.readouterr().err.splitlines()
    assert end.value.code == 2
    return line


def engines(capsys, python):
    return fault(capsys, "engines", "--device", local(python))


def build(capsys, python, out):
    options = ("--space", "tiny", "--engine", "fake", "--resolutions", "12", "--budget-seconds", "1", "--out", out)
    return fault(capsys, "lut", "build", *options, "--device", local(python))


def test_a_python_that_is_too_old(tmp_path, capsys):
    old = strange(tmp_path, "").replace("python-0", "old")
    Path(old).write_text(f'#!/bin/sh\nexec {sys.executable} -c "import sys; sys.version_info = (3, 8, 18); $2"\n')
    Path(old).chmod(0o755)
    assert engines(capsys, old).startswith(
        f"hwnas: local:?python={old} has no Python 3.9 or newer ({old}); try: install"
    )


def test_a_disk_that_is_full(tmp_path, device, capsys, monkeypatch):
    """When the agent is sent, when it starts, and when a model's weights are kept."""
    with monkeypatch.context() as patch:
        patch.setenv("PATH", in_front(tmp_path, "cat", "exec /bin/cat > /dev/full"))
        assert "its disk is full (/bin/cat: write error: No space left on device); try: free some" in engines(
            capsys, ""
        )
        assert list((device / "cache/hwnas").iterdir()) == []
    full = "import errno, os, tempfile\ndef mkdtemp(*a, **k): raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))\n"
    assert "its disk is full" in engines(capsys, strange(tmp_path, full + "tempfile.mkdtemp = mkdtemp"))
    full = (
        "import errno, os, pathlib\nwrite = pathlib.Path.write_bytes\ndef write_bytes(path, data):\n"
        "    if len(path.name) != 64: return write(path, data)\n"
        "    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))\npathlib.Path.write_bytes = write_bytes"
    )
    line = build(capsys, strange(tmp_path, full), tmp_path / "t.json")
    assert line.startswith("hwnas: the device's disk is full (") and line.endswith("try: free some space there")


def test_a_device_that_does_not_wake_up(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(connection, "START_SECONDS", 0.5)
    line = engines(capsys, strange(tmp_path, "import time; time.sleep(600)"))
    assert "it does not answer (timed out: nothing was heard for 0 s); try: check that it is on" in line


def test_a_device_that_falls_asleep(tmp_path, device, capsys, monkeypatch):
    """In the middle of a build, for good: the command gives up, and its line says what was the matter."""
    asleep = tmp_path / "asleep"
    python = strange(tmp_path, f"import os, time\nwhile os.path.exists({str(asleep)!r}): time.sleep(0.1)")
    began = elsewhere.Elsewhere.time

    def falls_asleep(self, *arguments, **more):
        asleep.touch()
        for agent in agents(device):
            os.kill(int(agent), signal.SIGSTOP)
        patch.setattr(connection, "START_SECONDS", 0.3)
        return began(self, *arguments, **more)

    with monkeypatch.context() as patch:
        patch.setattr(transport, "ENDING", 0.3)
        for name, seconds in (("START_SECONDS", 60.0), ("PING_SECONDS", 0.1), ("SILENCE", 1.0)):
            patch.setattr(connection, name, seconds)
        patch.setattr(elsewhere, "DELAYS", (0.0, 0.1))
        patch.setattr(elsewhere.Elsewhere, "time", falls_asleep)
        patch.setattr(elsewhere, "say", lambda line: None)
        line = build(capsys, python, tmp_path / "t.json")
    assert "broke (nothing was heard for 1 s); try: the same command again: it goes on" in line
    asleep.unlink()
    with measuring(Options(), place=elsewhere.Elsewhere(LocalTransport(), python)) as bench:
        assert bench.cores  # the agent that was killed in its sleep has left what the next one removes
    bench.place.close()


def test_a_model_that_nobody_takes_is_not_waited_for(device, monkeypatch):
    """The pipe is full and the writer stuck in it: the link is given up all the same."""
    monkeypatch.setattr(connection, "PING_SECONDS", 0.1)
    monkeypatch.setattr(connection, "SILENCE", 1.0)
    monkeypatch.setattr(transport, "ENDING", 0.3)
    link = Connection(LocalTransport(), sys.executable)
    os.kill(int(agents(device)[0]), signal.SIGSTOP)
    with pytest.raises(LinkLost, match="nothing was heard for 1 s"):
        link.ask("run", {"x": np.zeros(1 << 21)})
    Connection(LocalTransport(), sys.executable).close()  # removes what the other, which was killed, has left


def test_a_slow_link_is_no_broken_one(monkeypatch):
    """A large model that is being taken, however slowly, keeps the link, though nothing is heard meanwhile."""
    monkeypatch.setattr(connection, "PART", 1 << 12)
    taken, written = [], []

    class Slow:
        def write(self, data):
            written.append(len(data))

        def flush(self):
            written.append("flush")

    stream = connection._Watched(Slow(), lambda: taken.append(len(written)))
    stream.write(bytes(10_000))
    stream.flush()
    assert written == [4096, 4096, 1808, "flush"] and taken == [1, 2]


@pytest.mark.slow
def test_a_message_that_stops_in_the_middle_ends_the_agent(tmp_path, device):
    """As when the machine that asks falls asleep while it sends: nobody holds the device for ever."""
    code = "import profilers.devices.agent as agent\nagent.SILENCE = 1.0"
    link = Connection(LocalTransport(), strange(tmp_path, code))
    link.closing.set()  # no more pings
    link.remote.stdin.write(connection.pack.__globals__["FRAME"].pack(b"hwna", 1000, 0) + b"{")
    link.remote.stdin.flush()
    assert left_behind(device) == []
    link.close()


@pytest.mark.slow
def test_a_clock_that_jumps(tmp_path):
    """Forward and back by days at each look: times are those of the monotonic clock."""
    code = "import itertools, time\ndays = itertools.cycle([0, 9e5, -9e5])\nreal = time.time\n"
    code += "time.time = lambda: real() + next(days)\ntime.time_ns = lambda: int(1e9 * time.time())"
    place = place_at(local(strange(tmp_path, code)))
    (ort,) = remote_profilers(place, "onnxruntime")
    with measuring(Options(), place=place) as bench, ort.load(chain()) as session:
        found = bench.time({"a": session}, PLAN).measured["a"]
    assert 0 < found.low <= found.ms <= found.high < 1e5


def test_nothing_in_the_agent_reads_the_wall_clock():
    """But to say since when somebody measures."""
    for name in modules():
        path = ROOT.joinpath(*name.split(".")).with_suffix(".py")
        if not path.exists():
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = {alias.name for alias in node.names} if isinstance(node, ast.ImportFrom) else set()
            assert not (isinstance(node, ast.ImportFrom) and node.module == "time" and names & {"time", "time_ns"}), (
                path
            )
            assert not (isinstance(node, ast.ImportFrom) and node.module == "datetime"), path
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "time":
                assert node.attr not in ("time", "time_ns", "ctime", "localtime"), path


AS_NOBODY = """
import os, sys
from contextlib import contextmanager
from pathlib import Path
from profilers.devices.lock import DeviceLock
os.setgroups([]), os.setgid(65534), os.setuid(65534)  # now that all is imported
who = {"who": "her@laptop", "since": "2026-11-29 02:00:00", "process": os.getpid()}
try:
    DeviceLock(Path(sys.argv[1])).take(who)
    print("held", flush=True)
except Exception as error:
    print(type(error).__name__, error, flush=True)
sys.stdin.read()
"""


@contextmanager
def another_user(lock):
    """A process of another user that tries to hold the lock, and what it says of that."""
    if os.getuid():
        pytest.skip("only root can start a process of another user")
    command = [sys.executable, "-c", AS_NOBODY, str(lock)]
    with subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
        yield process.pid, process.stdout.readline()


@pytest.fixture
def shared(tmp_path):
    """A folder for all users, as /tmp is."""
    for folder in (tmp_path, *tmp_path.parents):
        if not folder.stat().st_mode & 1:
            folder.chmod(folder.stat().st_mode | 0o011)
    place = tmp_path / "all"
    place.mkdir()
    place.chmod(0o1777)
    return place


def test_another_user_measures_there(shared, capsys, monkeypatch):
    monkeypatch.setenv("HWNAS_LOCK", str(shared / "lock"))
    with another_user(shared / "lock") as (process, said):
        assert said == "held\n"
        line = build(capsys, sys.executable, shared / "t.json")
    assert f"is being measured on by her@laptop since 2026-11-29 02:00:00 (process {process} there)" in line


def test_what_another_user_left_or_holds(shared):
    """A file of another user is held by who cannot write into it; nobody is named who is gone."""
    lock = shared / "lock"
    mine = DeviceLock(lock)
    mine.take({"who": "me@laptop", "since": "2026-11-29 01:00:00", "process": os.getpid()})
    with another_user(lock) as (_, said):
        assert said.startswith("DeviceBusy the device is being measured on by me@laptop since 2026-11-29 01:00:00")
    os.close(mine.file)  # killed: its file stays
    gone = subprocess.Popen(["true"])
    gone.wait()
    lock.write_text(json.dumps({"who": "me@laptop", "since": "2026-11-29 01:00:00", "process": gone.pid}))
    with another_user(lock) as (_, said):
        assert said == "held\n" and "me@laptop" in lock.read_text()
        with pytest.raises(DeviceBusy, match="is being measured on by somebody else, and"):
            DeviceLock(lock).take({"who": "me@laptop"})


@pytest.mark.slow
def test_an_engine_of_another_architecture(tmp_path, capsys):
    """A compiled engine is refused before it is run: it might compute nonsense there."""
    (network,) = hwnas.Networks.sample("tiny", n=1)
    network.export("onnxruntime", out=tmp_path / "e", random_weights=True, quick=True)
    arm = "import platform\nimport profilers.timing.fingerprint as found\nplatform.machine = lambda: 'aarch64'\n"
    host = local(strange(tmp_path, arm + "found.cpu_flags = lambda: ('asimd',)"))
    line = fault(capsys, "validate", tmp_path / "e", "--quick", "--device", host)
    assert "is of another device or setting (flags: asimd here, " in line
    line = fault(capsys, "validate", tmp_path / "e", "--quick", "--force", "--device", host)
    assert "its .ort file is optimised for version" in line and "with asimd; allowed: the same version and kind" in line
