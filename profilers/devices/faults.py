"""What can be wrong with a device elsewhere, a line each."""

from __future__ import annotations

import errno
import re
from collections.abc import Sequence

from profilers.errors import (
    BadInput,
    EngineUnavailable,
    FileProblem,
    FingerprintMismatch,
    HwnasError,
    MeasurementFailed,
)

_UNSEEN = re.compile(r"[^\x20-\x7e\xa0-\ud7ff\ue000-\U0010ffff]+")
_TEXT = 2000


class DeviceUnreachable(EngineUnavailable):
    """A device that cannot be reached, or on which the agent cannot run."""


class LinkLost(MeasurementFailed):
    """The link broke, or the agent ended, in the middle of something; what was asked for then is lost."""


class DeviceBusy(MeasurementFailed):
    """Somebody else measures on the device."""


AWAY = (DeviceUnreachable, LinkLost, DeviceBusy)
"""What ends a command whatever else it could do without the device: the same one may do better later."""

_KINDS: dict[str, type[HwnasError]] = {
    kind.__name__: kind for kind in (BadInput, EngineUnavailable, FileProblem, FingerprintMismatch, DeviceBusy)
}


def clean(text: object) -> str:
    """A device's text for a person: one line, nothing that a terminal obeys, not too long."""
    return _UNSEEN.sub(" ", str(text)).strip()[:_TEXT]


def told(error: object) -> HwnasError:
    """The error that the agent answered with."""
    said = error if isinstance(error, dict) else {}
    kind = _KINDS.get(str(said.get("kind")), MeasurementFailed)
    texts = [clean(said.get(name, "")) for name in ("got", "allowed", "remedy")]
    return kind(texts[0] or "the device reports an error", *texts[1:])


def trouble(error: OSError) -> dict[str, str]:
    """What a device's system refused, as its agent says it."""
    where = f" ({error.filename})" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return {"kind": "FileProblem", "got": f"the device's disk is full{where}", "remedy": "free some space there"}
    return {"kind": "FileProblem", "got": f"the device: {error.strerror or error}{where}"[:_TEXT]}


# What ssh says -> what is wrong, what mends it
SSH = (
    (r"Could not resolve hostname", "no host of that name", "check the name, or add it to ~/.ssh/config"),
    (r"Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED|host key is known",
     "its host key is not known, or is another than before", "ssh {host} once by hand, and compare the fingerprint"),
    (r"Permission denied|Too many authentication failures",
     "it accepts none of your keys", "ssh-copy-id {host}, or load the key with ssh-add: a password is never asked for"),
    (r"Connection refused", "no ssh server answers there", "check the port, and that sshd runs"),
    (r"timed out|No route to host|Network is unreachable|Host is down",
     "it does not answer", "check that it is on, and that the network leads there"),
    (r"No space left on device", "its disk is full", "free some space there"),
    (r"not found|No such file or directory",
     "the command cannot be run", "check HWNAS_SSH, or ?python= in the address"),
)  # fmt: skip


def unreachable(host: str, said: str) -> DeviceUnreachable | LinkLost:
    """Why a device cannot be reached, from what ssh or the shell over there said; LinkLost for no known reason."""
    for pattern, wrong, remedy in SSH:
        if re.search(pattern, said, re.IGNORECASE):
            return DeviceUnreachable(f"{host}: {wrong} ({_last(said.splitlines())})", remedy=remedy.format(host=host))
    return LinkLost(f"{host}: the agent does not start ({_last(said.splitlines()) or 'nothing was said'})")


def _last(lines: Sequence[str]) -> str:
    """The last line that says something, shortened."""
    return next((clean(line)[:200] for line in reversed(lines) if clean(line)), "")
