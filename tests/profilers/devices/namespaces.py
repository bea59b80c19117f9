"""Two machines on this one: each an sshd in a network namespace of its own, with a disk, an address and a lock."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.profilers.devices.sshd import Server, server


@dataclass
class Machine:
    """A namespace with a cable to this one; `address` is its side of the cable."""

    name: str
    address: str
    folder: Path

    @property
    def root(self) -> Path:
        """Its disk."""
        return self.folder / "disk"

    @contextmanager
    def on(self) -> Iterator[Server]:
        """Its sshd runs in the block."""
        (self.root / "tmp").mkdir(parents=True, exist_ok=True)
        with server(self.folder / "sshd", self.root, self.address, ["ip", "netns", "exec", self.name], 2222) as found:
            yield found

    def power_off(self) -> int:
        """As when its plug is pulled: nothing of it lives on; the number of its processes."""
        listed = subprocess.run(["ip", "netns", "pids", self.name], capture_output=True, text=True, check=True)
        for number in listed.stdout.split():
            with suppress(ProcessLookupError):
                os.kill(int(number), signal.SIGKILL)
        return len(listed.stdout.split())


@contextmanager
def machines(folder: Path, number: int) -> Iterator[list[Machine]]:
    """So many; skipped with the reason where this user may not make them."""
    if not shutil.which("ip"):
        pytest.skip("no ip on this machine (iproute2)")
    made: list[Machine] = []
    try:
        for i in range(number):
            made.append(
                Machine(f"hwnas-{os.getpid()}-{i}", f"10.{200 + i}.{os.getpid() % 250}.2", folder / f"machine-{i}")
            )
            _make(made[-1], f"hw{os.getpid() % 100000}-{i}")
        yield made
    finally:
        for machine in made:
            subprocess.run(["ip", "netns", "delete", machine.name], capture_output=True, check=False)


def _make(machine: Machine, cable: str) -> None:
    here = machine.address.removesuffix("2") + "1"
    within = ["ip", "-n", machine.name]
    for command in (
        ["ip", "netns", "add", machine.name],
        [*within, "link", "set", "lo", "up"],
        ["ip", "link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", machine.name],
        ["ip", "address", "add", f"{here}/30", "dev", cable],
        ["ip", "link", "set", cable, "up"],
        [*within, "address", "add", f"{machine.address}/30", "dev", "eth0"],
        [*within, "link", "set", "eth0", "up"],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"no network namespaces here: {' '.join(command)}: {done.stderr.strip()}")
