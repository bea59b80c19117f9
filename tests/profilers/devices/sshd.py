"""Debian's sshd with keys, port and files of its own as a device elsewhere: here, or in a network namespace."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"
_SERVER = """\
Port {port}
ListenAddress {address}
HostKey {folder}/host
AuthorizedKeysFile {folder}/me.pub
PidFile {folder}/pid
PasswordAuthentication no
KbdInteractiveAuthentication no
StrictModes no
UsePAM no
SetEnv HWNAS_LOCK={root}/lock XDG_CACHE_HOME={root}/cache TMPDIR={root}/tmp
"""
_CLIENT = """\
Host {address}
IdentityFile {folder}/me
IdentitiesOnly yes
UserKnownHostsFile {folder}/known_hosts
GlobalKnownHostsFile /dev/null
"""


@dataclass
class Server:
    """A running sshd, and what reaches it."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]
    address: str = "127.0.0.1"

    @property
    def ssh(self) -> str:
        """For HWNAS_SSH."""
        return f"ssh -F {self.folder}/client"

    def host(self, python: str = sys.executable) -> str:
        """Its address."""
        return f"ssh://{getpass.getuser()}@{self.address}:{self.port}?python={python}"

    def cut(self) -> int:
        """Cut every link as a cable that is pulled does, for the server to see; the number of links."""
        links = _children(self.process.pid)
        for link in links:
            for part in [*_children(link), link]:
                if b"sshd" in _command(part):
                    with suppress(OSError):
                        os.kill(part, signal.SIGKILL)
        return len(links)


@contextmanager
def server(
    folder: Path, root: Path, address: str = "127.0.0.1", within: Sequence[str] = (), port: int = 0
) -> Iterator[Server]:
    """Start one; skipped with the reason where there is none. `root` stands for the device's disk.

    `within` is the command that runs it elsewhere than here. A folder that is there is the same device, on again.
    """
    if not Path(SSHD).exists() or not shutil.which("ssh"):
        pytest.skip("no sshd on this machine (openssh-server)")
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    if not folder.exists():
        _configure(folder, root, address, port or _free_port())
    port = int((folder / "server").read_text().split()[1])
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen([*within, SSHD, "-D", "-e", "-f", folder / "server"], stderr=log)
    try:
        _wait(address, port, folder / "log")
        yield Server(folder, port, process, address)
    finally:
        process.terminate()
        process.wait()


def _configure(folder: Path, root: Path, address: str, port: int) -> None:
    folder.mkdir()
    for name in ("host", "me", "stranger"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    host_key = (folder / "host.pub").read_text()
    (folder / "known_hosts").write_text(f"[{address}]:{port} {host_key}")
    for name, text in (("server", _SERVER), ("client", _CLIENT)):
        (folder / name).write_text(text.format(address=address, port=port, folder=folder, root=root))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def _wait(address: str, port: int, log: Path) -> None:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        with suppress(OSError), socket.create_connection((address, port), 1):
            return
        time.sleep(0.05)
    pytest.skip(f"this sshd does not start: {log.read_text()[-300:]}")


def _children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*"):
        with suppress(OSError):
            found += [int(child) for child in (task / "children").read_text().split()]
    return found


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
