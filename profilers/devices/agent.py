"""The agent: runs on a device elsewhere as one zip application, speaks on stdin and stdout, and ends with its link.

    python agent-HASH.pyz            needs Python 3.9, numpy and the runtime, no more

It opens no port and leaves nothing behind but itself: threads, child processes, kept weights and the lock end with the
link, however that ends; a link that says nothing for `SILENCE` seconds has ended too.
"""

from __future__ import annotations

import getpass
import os
import platform
import select
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any, BinaryIO, NoReturn

import numpy as np

from profilers.devices.pieces import Kept
from profilers.devices.serving import Serving
from profilers.devices.wire import Arrays, BadMessage, Message, pack, receive, send
from profilers.processes import has_ended
from profilers.timing.fingerprint import cpu_flags

GREETING = b"\nhwnas-agent: start\n"
SILENCE = 90.0
REMOVALS = 20
SIGNALS = (signal.SIGHUP, signal.SIGTERM, signal.SIGPIPE)
PREFIX = "hwnas-agent-"


def main() -> NoReturn:
    """Serve until the link ends."""
    entry, exit_ = _streams()
    with suppress(OSError):
        os.setpgid(0, 0)  # so that what it starts can be ended with it
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # until there is what they clean up
    _remove_abandoned()
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    tempfile.tempdir = os.environ["TMPDIR"] = str(folder)  # traces, and what runtimes write, go with it
    kept = Kept(folder)
    link = _Link(entry, exit_)
    serving = Serving(link.answer, kept, link.idle)
    woken = _signals(lambda *_: _end(kept, serving))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    reader = threading.Thread(target=_read, args=(link, woken, kept, serving), daemon=True)
    reader.start()
    exit_.write(GREETING)
    link.answer(_about(), {})
    while True:
        serving.handle(link.requests.get())


def _signals(handler: Callable[..., None]) -> int:
    """Take them, and give what can be read once one came.

    This thread learns of a signal that comes just before it waits for a request only after it, the reader at once.
    """
    for sign in SIGNALS:
        signal.signal(sign, handler)
    woken, written = os.pipe()
    os.set_blocking(written, False)
    signal.set_wakeup_fd(written, warn_on_full_buffer=False)
    return woken


class _Link:
    """Both directions, the requests that wait, and the thread that reads them."""

    def __init__(self, entry: BinaryIO, exit_: BinaryIO) -> None:
        self.entry, self.exit, self.writing = entry, exit_, threading.Lock()
        self.requests: SimpleQueue[Message] = SimpleQueue()
        self.idle: set[int] = set()

    def answer(self, header: Mapping[str, Any], arrays: Arrays) -> None:
        """Send one message; where nobody reads any more, the reader ends the process."""
        about, parts = pack(arrays)
        with self.writing, suppress(OSError):
            send(self.exit, {**header, "arrays": about} if about else header, parts)


def _read(link: _Link, woken: int, kept: Kept, serving: Serving) -> None:
    """Take requests until the link ends or a signal comes, then end the process, whatever it is at."""
    link.idle.add(threading.get_native_id())
    try:
        entry = _Impatient(link.entry, woken)
        while (message := receive(entry)) is not None:
            if message.header.get("what") == "ping":
                link.answer({"pong": True}, {})
            else:
                link.requests.put(message)
    except (OSError, BadMessage, MemoryError):
        pass
    finally:
        _end(kept, serving)


class _Impatient:
    """A stream that has ended where nothing comes for `SILENCE` seconds, even inside a message, or a signal came."""

    def __init__(self, stream: BinaryIO, woken: int) -> None:
        self.stream, self.woken = stream, woken

    def read(self, size: int) -> bytes:
        """What has come, at most `size` bytes."""
        ready, _, _ = select.select([self.stream.fileno(), self.woken], [], [], SILENCE)
        return self.stream.read(size) if ready == [self.stream.fileno()] else b""


_ending = threading.Lock()


def _end(kept: Kept, serving: Serving) -> None:
    """Leave nothing behind: no weights, no lock, no process that was started. A signal and the link's end may both ask.

    The first ends the process; others go on meanwhile, and may write where something is being removed.
    """
    if not _ending.acquire(blocking=False):
        return
    for _ in range(REMOVALS):
        kept.remove()
        if not kept.folder.exists():
            break
        time.sleep(0.05)
    serving.lock.release()
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(0)


def _streams() -> tuple[BinaryIO, BinaryIO]:
    """The link, unbuffered for reading; what runtimes print goes to stderr, and nothing else reads stdin."""
    entry, exit_ = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return os.fdopen(entry, "rb", buffering=0), os.fdopen(exit_, "wb", buffering=1 << 16)


def _remove_abandoned() -> None:
    """Weights that an agent kept which was killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        number = folder.name[len(PREFIX) :].partition("-")[0]
        if number.isdecimal() and has_ended(int(number)):
            shutil.rmtree(folder, ignore_errors=True)


def _about() -> dict[str, Any]:
    """What the other side may want to know at once."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = str(os.getuid())
    return {
        "python": platform.python_version(), "executable": sys.executable, "numpy": np.__version__,
        "machine": platform.machine(), "flags": " ".join(cpu_flags()), "node": platform.node(), "user": user,
        "process": os.getpid(),
    }  # fmt: skip


if __name__ == "__main__":
    main()
