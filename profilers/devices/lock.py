"""Only one measurement at a time on a device: a lock there, which says who holds it and ends with its process."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from profilers.devices.faults import DeviceBusy
from profilers.processes import has_ended

PLACE = "/tmp/hwnas-measuring.lock"  # noqa: S108  one for all users of the device; no link is followed
VARIABLE = "HWNAS_LOCK"  # another place, where two devices share a /tmp


class DeviceLock:
    """The lock of the device that this process is on."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or Path(os.environ.get(VARIABLE, PLACE))
        self.file: int | None = None

    def take(self, who: Mapping[str, Any]) -> None:
        """Hold it until `release`, or the end of the process.

        Raises:
            DeviceBusy: somebody else holds it; who, and since when.
        """
        while self.file is None:
            file = self._opened()
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                said = _holder(file)
                os.close(file)
                got = f"the device is being measured on by {said}, and two at once would disturb each other"
                raise DeviceBusy(got, remedy="again when it is done") from None
            if self._current(file):
                self.file = file
            else:  # its last holder has removed it meanwhile
                os.close(file)
        with suppress(OSError):  # of another user, who may read it only: held all the same
            os.ftruncate(self.file, 0)
            os.pwrite(self.file, json.dumps(dict(who)).encode(), 0)

    def holder(self) -> str:
        """Who holds it now, "" for nobody."""
        try:
            file = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return ""
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return ""
        except OSError:
            return _holder(file)
        finally:
            os.close(file)

    def release(self) -> None:
        """Give it up and remove it."""
        if self.file is not None:
            with suppress(OSError):
                self.path.unlink()
            os.close(self.file)
            self.file = None

    def _opened(self) -> int:
        """The file; the kernel forbids to create one in /tmp that another user has, so it is opened first."""
        for flags in (os.O_RDWR, os.O_RDWR | os.O_CREAT):
            with suppress(FileNotFoundError, PermissionError):
                return os.open(self.path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        return os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)

    def _current(self, file: int) -> bool:
        try:
            return os.path.samestat(os.fstat(file), self.path.stat())
        except OSError:
            return False


def _holder(file: int) -> str:
    """Who has written into it, unless that process is gone: another user's may hold it and not write there."""
    try:
        found = json.loads(os.pread(file, 2000, 0).decode())
        if has_ended(int(found["process"])):
            return "somebody else"
        return f"{found['who']} since {found['since']} (process {found['process']} there)"
    except (OSError, ValueError, KeyError, TypeError, ArithmeticError, RecursionError):
        return "somebody else"
