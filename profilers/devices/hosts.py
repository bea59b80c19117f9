"""Devices as a user names them: a name, or `ssh://[user@]host[:port]`; and the one place of each in this process.

?python=PATH   which Python over there, by default the first of python3 and python that is new enough
local:         another process of this machine, for tests and for another Python: local:?python=/opt/venv/bin/python
"""

from __future__ import annotations

import atexit
from urllib.parse import parse_qs, unquote, urlsplit

from profilers.base import Profiler
from profilers.devices.elsewhere import Elsewhere
from profilers.devices.named import address
from profilers.devices.remote import RemoteProfiler, remote_profilers
from profilers.devices.ssh import SshTransport
from profilers.devices.transport import LocalTransport, Transport
from profilers.errors import BadInput
from profilers.registry import get_profiler

FORM = "ssh://[user@]host[:port], and ?python=PATH for another Python there"
_places: dict[str, Elsewhere] = {}


def place_at(host: str) -> Elsewhere:
    """The device of that name or address; BadInput for none. Nothing is opened before it is needed.

    >>> place_at("ssh://me@board").host
    'ssh://me@board'
    """
    host = address(host)
    if host not in _places:
        if not _places:
            atexit.register(close_all)
        _places[host] = _new(host)
    return _places[host]


def profilers_at(host: str, *names: str) -> list[RemoteProfiler]:
    """The runtimes of a device, those of the names or all; BadInput for an unknown one."""
    return remote_profilers(place_at(host), *names)


def profiler_at(host: str, name: str) -> Profiler:
    """The runtime of that name on a device, or on this machine where `host` is empty."""
    return profilers_at(host, name)[0] if host else get_profiler(name)


def abandon(host: str) -> None:
    """End the link to a device, whatever another thread does there: it fails. Whoever asks next begins anew."""
    if (place := _places.pop(address(host), None)) is not None:
        place.abandon()


def close_all() -> None:
    """End every link of this process."""
    while _places:
        _places.popitem()[1].close()


def _new(host: str) -> Elsewhere:
    try:
        parts = urlsplit(host)
        query = parse_qs(parts.query, strict_parsing=bool(parts.query))
        port = parts.port or 0
    except ValueError as error:
        raise BadInput(f"device {host!r}: {error}", FORM) from error
    python = query.pop("python", [""])[-1]
    if query:
        raise BadInput(f"device {host!r} with {min(query)!r}", FORM)
    return Elsewhere(_transport(host, parts.scheme, parts.netloc, unquote(parts.path), port), python)


def _transport(host: str, scheme: str, netloc: str, path: str, port: int) -> Transport:
    if scheme == "local" and not netloc and path in ("", "/"):
        return LocalTransport(host)
    target = unquote(netloc.rpartition(":")[0] if port else netloc)
    if (
        scheme != "ssh"
        or not target
        or path not in ("", "/")
        or target.startswith("-")
        or ":" in target.partition("@")[0]
    ):
        raise BadInput(f"device {host!r}", FORM)
    return SshTransport(host, target, port)
