"""How a device is reached: run a command there with its streams, put a file, get a file.

A third way (adb, docker, a lab's own) is one more class.
"""

from __future__ import annotations

import string
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, BinaryIO

from profilers.devices.faults import unreachable

SECONDS = 120.0  # for a file
ENDING = 6.0  # seconds in which an agent that is asked to end removes what it keeps
_PLAIN = frozenset(string.ascii_letters + string.digits + " _./:;=,+-")


@dataclass
class Remote:
    """A command that runs on the device, and what it has said on stderr so far."""

    process: subprocess.Popen[bytes]
    log: IO[bytes]

    @property
    def stdin(self) -> BinaryIO:
        """What it reads."""
        assert self.process.stdin is not None
        return self.process.stdin  # type: ignore[return-value]

    @property
    def stdout(self) -> BinaryIO:
        """What it writes."""
        assert self.process.stdout is not None
        return self.process.stdout  # type: ignore[return-value]

    def said(self) -> str:
        """The end of its stderr."""
        size = self.log.seek(0, 2)
        self.log.seek(max(size - 4000, 0))
        return self.log.read().decode(errors="replace")

    def end(self) -> None:
        """Cut it off; the agent ends with its link."""
        self.process.terminate()
        try:
            self.process.wait(ENDING)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.log):
            if stream is not None:
                try:
                    stream.close()
                except OSError:
                    continue


class Transport(ABC):
    """A way to one device."""

    host: str
    """As the user names it."""

    @abstractmethod
    def command(self, script: str) -> Sequence[str]:
        """What runs a POSIX shell script on the device when it is run here."""

    def run(self, script: str) -> Remote:
        """Start a script there; DeviceUnreachable where the program that reaches the device is not here."""
        log = tempfile.TemporaryFile()  # noqa: SIM115  closed by Remote.end
        try:
            process = subprocess.Popen(
                self.command(script), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, start_new_session=True
            )
        except OSError as error:
            log.close()
            raise unreachable(self.host, str(error)) from error
        return Remote(process, log)

    def put(self, data: bytes, path: str) -> None:
        """Write a file there, whole or not at all, whoever else writes it; DeviceUnreachable where that fails."""
        script = (
            f'part={quoted(path)}.$$.part; cat > "$part" && mv "$part" {quoted(path)} && exit; rm -f "$part"; exit 1'
        )
        self._finished(script, data)

    def get(self, path: str, limit: int) -> bytes:
        """Read a file there, of at most `limit` bytes; DeviceUnreachable where that fails."""
        return self._finished(f"head -c {limit} {quoted(path)}", b"")

    def close(self) -> None:  # noqa: B027  most have nothing
        """The end of the way."""

    def _finished(self, script: str, data: bytes) -> bytes:
        remote = self.run(script)
        try:
            found, _ = remote.process.communicate(data, timeout=SECONDS)
            if remote.process.returncode:
                raise unreachable(self.host, remote.said())
            return found
        except subprocess.TimeoutExpired:
            raise unreachable(self.host, "timed out") from None
        finally:
            remote.end()


class LocalTransport(Transport):
    """A shell on this machine: another Python with its own runtimes, and what tests use in place of a network."""

    def __init__(self, host: str = "local:") -> None:
        self.host = host

    def command(self, script: str) -> Sequence[str]:
        """See `Transport`."""
        return ["sh", "-c", script]


def for_any_shell(script: str) -> str:
    """A command that runs a POSIX shell's script, whatever shell is given it: csh and fish quote otherwise.

    It is one line, and between its single quotes stands nothing that any shell reads in its own way: all else is octal.
    """
    plain = "".join(chr(b) if chr(b) in _PLAIN else f"\\0{b:03o}" for b in script.encode())
    return f'exec sh -c \'eval "$(printf %b "{plain}")"\''


def quoted(text: str) -> str:
    """For a POSIX shell."""
    return "'" + text.replace("'", "'\\''") + "'"
