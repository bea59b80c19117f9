"""The system's ssh: the user's configuration, jump hosts, agents, hardware keys and known hosts work as they are.

One connection is kept for all commands. Host keys are always checked, and nothing is ever asked: BatchMode.
"""

from __future__ import annotations

import atexit
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from profilers.devices.transport import Transport, for_any_shell

VARIABLE = "HWNAS_SSH"  # replaces the command, as GIT_SSH_COMMAND does
OPTIONS = {
    "BatchMode": "yes",
    "StrictHostKeyChecking": "yes",
    "ConnectTimeout": "15",
    "ServerAliveInterval": "15",
    "ServerAliveCountMax": "3",
    "ControlMaster": "auto",
    "ControlPersist": "60",
}


class SshTransport(Transport):
    """A device reached by ssh.

    Args:
        host: as the user names it, for messages.
        target: `[user@]host`, as ssh takes it.
        port: 0 for ssh's own.
    """

    def __init__(self, host: str, target: str, port: int = 0) -> None:
        self.host, self.target, self.port = host, target, port
        self.folder: Path | None = None  # of the kept connection's socket

    def command(self, script: str) -> Sequence[str]:
        """See `Transport`."""
        if self.folder is None:
            self.folder = Path(tempfile.mkdtemp(prefix="hwnas-ssh-"))  # a socket's path has at most 104 bytes
            atexit.register(self.close)
        return [*self._ssh(self.folder), "-T", "--", self.target, for_any_shell(script)]

    def close(self) -> None:
        """End the kept connection."""
        if self.folder is None:
            return
        atexit.unregister(self.close)
        with suppress(OSError, subprocess.SubprocessError):
            end = [*self._ssh(self.folder), "-O", "exit", "--", self.target]
            subprocess.run(end, capture_output=True, timeout=10, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder = None

    def _ssh(self, folder: Path) -> list[str]:
        options = {**OPTIONS, "ControlPath": str(folder / "%C")}
        port = ["-p", str(self.port)] if self.port else []
        ssh = shlex.split(os.environ.get(VARIABLE, "")) or ["ssh"]
        return [*ssh, *(part for name, value in options.items() for part in ("-o", f"{name}={value}")), *port]
