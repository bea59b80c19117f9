"""A link to the agent on a device: started there, asked, and watched, since a link can break without a word."""

from __future__ import annotations

import getpass
import platform
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from time import monotonic
from typing import Any, BinaryIO

from profilers.devices.faults import DeviceUnreachable, LinkLost, clean, told, unreachable
from profilers.devices.package import package
from profilers.devices.pieces import Sent
from profilers.devices.transport import Remote, Transport, quoted
from profilers.devices.wire import Arrays, BadMessage, Bytes, Message, pack, receive, send
from profilers.interruption import first_done

PING_SECONDS = 15.0
SILENCE = 60.0
START_SECONDS = 60.0  # until the agent speaks: a small board may need some to import numpy
STARTS = 4  # one of them may send the application
PART = 1 << 20  # bytes that are written at once
PAYLOAD_LIMIT = 1 << 28  # what a device may send at once
WORD = b"hwnas-agent: "
CHATTER = 1 << 16  # bytes that a login shell may print before the agent speaks

_START = """\
folder="${{XDG_CACHE_HOME:-$HOME/.cache}}/hwnas"
agent="$folder/{name}"
for python in {pythons}; do
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null || continue
  if [ -f "$agent" ]; then exec "$python" "$agent"; fi
  mkdir -p "$folder" || exit 1
  find "$folder" -name 'agent-*.pyz*' -mtime +30 -exec rm -f {{}} + 2>/dev/null
  echo; echo "hwnas-agent: send $agent"; exit 0
done
echo; echo "hwnas-agent: nopython"
"""


class Connection:
    """One agent, from its start to the end of its link.

    Raises:
        DeviceUnreachable: it cannot be reached, or lacks Python or numpy.
    """

    def __init__(self, transport: Transport, python: str = "") -> None:
        self.transport, self.host, self.python = transport, transport.host, python
        self.remote, self.about = self._started()
        self.sent, self.lost = Sent(), ""
        self.writing, self.heard = threading.Lock(), monotonic()
        self.waiting: dict[int, tuple[Future[Message], Callable[[float], None] | None]] = {}
        self.last = 0
        self.closing = threading.Event()
        for work in (self._read, self._watch):
            threading.Thread(target=work, daemon=True).start()

    def ask(
        self,
        what: str,
        arrays: Arrays | None = None,
        *,
        model: bytes | None = None,
        progress: Callable[[float], None] | None = None,
        **fields: Any,
    ) -> Message:
        """The answer to one request.

        Raises:
            LinkLost: the link broke before. HwnasError: what the agent could not do, and why.
        """
        number, future = self._send(what, arrays, model, progress, fields)
        try:
            first_done([future])
            answer = future.result()
        except KeyboardInterrupt:
            self.close()  # the agent is in the middle of it, and ends with its link
            raise
        finally:
            self.waiting.pop(number, None)
        if "error" in answer.header:
            raise told(answer.header["error"])
        return answer

    def tell(self, what: str, **fields: Any) -> None:
        """A request whose answer is of no interest; nothing happens where the link is broken."""
        with suppress(LinkLost):
            number, _ = self._send(what, None, None, None, fields)
            self.waiting.pop(number, None)

    def close(self) -> None:
        """End the link, and with it the agent."""
        self._lose("closed")

    def _send(
        self,
        what: str,
        arrays: Arrays | None,
        model: bytes | None,
        progress: Callable[[float], None] | None,
        fields: Mapping[str, Any],
    ) -> tuple[int, Future[Message]]:
        future: Future[Message] = Future()
        about, parts = pack(arrays or {})
        header = {**fields, "what": what, **({"arrays": about} if about else {})}
        with self.writing:  # pieces refer to earlier ones, so they are cut in the order in which they are sent
            self.last += 1
            number = self.last
            self.waiting[number] = future, progress
            if model is not None:
                header["pieces"], parts = self.sent.cut(model)
            self._write({"id": number, **header}, parts)
        return number, future

    def _write(self, header: Mapping[str, Any], parts: Iterable[Bytes] = ()) -> None:
        """LinkLost where it is broken."""
        if not self.lost:
            try:
                send(_Watched(self.remote.stdin, self._taken), header, parts)
                return
            except (OSError, ValueError) as error:
                self._lose(clean(error))
        raise self._broken()

    def _taken(self) -> None:
        """The other side has taken something, however slowly a large model gets there."""
        self.heard = monotonic()

    def _broken(self) -> LinkLost:
        return LinkLost(f"the link to {self.host} broke ({self.lost})", remedy="the same command again: it goes on")

    def _read(self) -> None:
        """Give answers to those who wait for them, until the link ends."""
        why = "the agent there has ended"
        try:
            while (message := receive(self.remote.stdout, PAYLOAD_LIMIT)) is not None:
                self.heard = monotonic()
                future, progress = self.waiting.get(message.header.get("id", 0), (None, None))
                amount = message.header.get("progress")
                if future is None:
                    continue
                if isinstance(amount, int | float):
                    if progress is not None and 0 < amount < 1e6:
                        progress(amount)
                elif not future.done():
                    future.set_result(message)
        except (OSError, ValueError, TypeError, BadMessage) as error:
            why = clean(error)
        self._lose(why)

    def _watch(self) -> None:
        """Say something now and then, and give a link up on which nothing is heard."""
        while not self.closing.wait(PING_SECONDS):
            if self.writing.acquire(timeout=PING_SECONDS):  # whoever writes may be stuck: then nothing is taken
                try:
                    with suppress(LinkLost):
                        self._write({"what": "ping"})
                finally:
                    self.writing.release()
            if monotonic() - self.heard > SILENCE:
                self._lose(f"nothing was heard for {SILENCE:.0f} s")

    def _lose(self, why: str) -> None:
        """Whoever waits learns it; once."""
        if self.lost:
            return
        with suppress(ValueError, OSError):
            last = self.remote.said().strip().splitlines()[-1:]
            why = f"{why}: {clean(last[0])[:200]}" if last and why != "closed" else why
        self.lost = why
        self.closing.set()
        self.remote.end()
        for future, _ in list(self.waiting.values()):
            if not future.done():
                future.set_exception(self._broken())

    # The start

    def _started(self) -> tuple[Remote, dict[str, Any]]:
        """The agent's process and what it says of itself; tried again where the link is cut on the way."""
        for _ in range(STARTS - 1):
            try:
                return self._start()
            except LinkLost:
                continue
        try:
            return self._start()
        except LinkLost as error:
            raise DeviceUnreachable(error.got) from error

    def _start(self) -> tuple[Remote, dict[str, Any]]:
        """Start the agent; the application is sent where it is not there yet. LinkLost for no known reason."""
        script = _START.format(name=package().name, pythons=quoted(self.python) if self.python else "python3 python")
        remote = self.transport.run(script)
        asleep = threading.Event()
        waiting = threading.Timer(START_SECONDS, _give_up, (remote, asleep))
        waiting.daemon = True
        waiting.start()
        try:
            word, rest = _word(remote)
            if word == "start" and (about := self._first(remote)):
                return remote, about
        finally:
            waiting.cancel()
        said = f"timed out: nothing was heard for {START_SECONDS:.0f} s" if asleep.is_set() else remote.said()
        remote.end()
        if word == "send":
            self.transport.put(package().data, rest)
            raise LinkLost(f"{self.host}: the agent does not stay in the folder {clean(rest)}")
        raise self._fault(word, rest, said)

    def _fault(self, word: str, rest: str, said: str) -> DeviceUnreachable | LinkLost:
        if word == "nopython":
            named = self.python or "python3, python"
            return DeviceUnreachable(
                f"{self.host} has no Python 3.9 or newer ({named})",
                remedy="install one there, or name it: ?python=PATH",
            )
        if word == "nonumpy":
            python = clean(rest)
            return DeviceUnreachable(
                f"{self.host}: {python} has no numpy", remedy=f"there: {python} -m pip install numpy onnxruntime"
            )
        return unreachable(self.host, said)

    def _first(self, remote: Remote) -> dict[str, Any]:
        """What the agent says of itself; nothing where the link is cut."""
        try:
            found = receive(remote.stdout, 0)
        except (OSError, BadMessage) as error:
            raise DeviceUnreachable(f"{self.host}: the agent does not start ({clean(error)})") from error
        return {} if found is None else {key: clean(value) for key, value in found.header.items()}


def _give_up(remote: Remote, asleep: threading.Event) -> None:
    asleep.set()
    remote.process.kill()


class _Watched:
    """A stream that says when a large part of what is written was taken; a small one says nothing of the other side."""

    def __init__(self, stream: BinaryIO, taken: Callable[[], None]) -> None:
        self.stream, self.taken = stream, taken

    def write(self, data: Bytes) -> None:
        """All of it."""
        for start in range(0, len(data), PART):
            self.stream.write(data[start : start + PART])
            if len(data) - start >= PART:
                self.taken()

    def flush(self) -> None:
        """As of any stream."""
        self.stream.flush()


def who() -> str:
    """Who we are, for others who find the device busy."""
    try:
        return f"{getpass.getuser()}@{platform.node()}"
    except (OSError, KeyError):
        return platform.node()


def _word(remote: Remote) -> tuple[str, str]:
    """The first line of ours that the other side says, and what follows its first word."""
    left = CHATTER
    while left > 0 and (line := _line(remote, left)):
        left -= len(line)
        if line.startswith(WORD):
            word, _, rest = line[len(WORD) :].decode(errors="replace").strip().partition(" ")
            return word, rest
    return "", ""


def _line(remote: Remote, most: int) -> bytes:
    """Up to the end of a line, without reading further."""
    data = bytearray()
    while len(data) < most and (byte := remote.stdout.read(1)):
        data += byte
        if byte == b"\n":
            break
    return bytes(data)
