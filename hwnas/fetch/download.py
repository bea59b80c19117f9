"""A file over HTTP into `NAME.part`, going on where an interrupted download stopped.

Beside it lies `NAME.part.json`: the address and the server's validator (a strong ETag, or Last-Modified). A later
request asks for the rest with Range and If-Range (RFC 9110, sections 13.1.5 and 14.2): a server whose file has changed,
or that knows no ranges, answers with the whole file, which is then taken from its beginning.
"""

from __future__ import annotations

import http.client
import json
import os
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwnas.version import __version__
from profilers.errors import FileProblem, HwnasError
from profilers.files import read_json, write_json
from profilers.progress import Progress, track

CHUNK = 1 << 16
LARGEST = 4 << 30  # bytes: no published file is near it, and a disk is not to be filled
MEGABYTE = 1e6
_OFFLINE = "--from DIR, a folder that has the file"


class NetworkProblem(HwnasError):
    """A server that cannot be reached, refuses, or breaks off."""


@dataclass(frozen=True)
class Patience:
    """Seconds without an answer, how often a download that breaks off goes on by itself, and the pause before."""

    timeout: float = 30.0
    retries: int = 5
    pause: float = 1.0


def download(url: str, part: Path, label: str, patience: Patience | None = None) -> None:
    """The whole file into `part`.

    Raises:
        NetworkProblem: no network, an error of the server's, or a connection that breaks off time and again; what has
            arrived is kept for the next call.
        FileProblem: it cannot be written.
    """
    patience = patience or Patience()
    for attempt in range(patience.retries + 1):
        if attempt:
            time.sleep(patience.pause * 2 ** (attempt - 1))
        before = _size(part)
        try:
            _transfer(url, part, label, patience.timeout)
            return
        except _BrokenOff as error:
            lost = error
            if _size(part) <= before:  # it does not even begin
                break
    got = f"the download of {url} broke off behind {_size(part)} bytes: {lost}"
    raise NetworkProblem(got, remedy=f"the same command again, which goes on there, or {_OFFLINE}")


class _BrokenOff(Exception):
    """The connection ended before the file did."""


def _transfer(url: str, part: Path, label: str, timeout: float) -> None:
    """One request and all of its answer."""
    with _request(url, part, timeout) as response:
        offset = _offset(response, part)
        length = response.headers.get("Content-Length")
        total = offset + int(length) if length and length.isdecimal() else None
        if (total or 0) > LARGEST:
            raise NetworkProblem(f"{url} has {total} bytes", f"{LARGEST} at most")
        try:
            _remember(url, part, response)
            with part.open("ab" if offset else "wb") as stream:
                _copy(response, stream, label, total, offset)
                os.fsync(stream.fileno())
        except OSError as error:
            raise FileProblem(f"cannot write {part}: {error.strerror}", remedy="free some space") from error
    if total is not None and _size(part) < total:
        raise _BrokenOff(f"{total} were announced")


def _copy(response: http.client.HTTPResponse, stream: Any, label: str, total: int | None, offset: int) -> None:
    megabytes = (total or 0) / MEGABYTE
    with track(megabytes, f"fetching {label} (MB)", done=offset / MEGABYTE) as bar:
        while chunk := _read(response):
            stream.write(chunk)
            _advance(bar, chunk, stream)


def _advance(bar: Progress, chunk: bytes, stream: Any) -> None:
    bar.advance(len(chunk) / MEGABYTE)
    if stream.tell() > LARGEST:
        raise NetworkProblem("a file without end", f"{LARGEST} bytes at most")


def _read(response: http.client.HTTPResponse) -> bytes:
    try:
        return response.read(CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise _BrokenOff(str(error) or type(error).__name__) from error


def _request(url: str, part: Path, timeout: float) -> http.client.HTTPResponse:
    """The server's answer, 200 or 206."""
    if not url.startswith(("https://", "http://")):  # urllib would open files, too
        raise NetworkProblem(f"{url} is no address of the web", "https://…", _OFFLINE)
    headers = {"User-Agent": f"hwnas/{__version__}", "Accept-Encoding": "identity"}
    if validator := _validator(url, part):
        headers |= {"Range": f"bytes={_size(part)}-", "If-Range": validator}
    try:
        asked = urllib.request.Request(url, headers=headers)  # noqa: S310  of the web: see above
        response = urllib.request.urlopen(asked, timeout=timeout)  # noqa: S310
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and validator:
            forget(part)  # more than the server has: not the beginning of its file
            return _request(url, part, timeout)
        raise NetworkProblem(f"{url}: HTTP {error.code} {error.reason}", remedy=_OFFLINE) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise NetworkProblem(f"cannot reach {url}: {reason}", "a network", _OFFLINE) from error
    if url.startswith("https:") and not response.url.startswith("https:"):
        response.close()
        raise NetworkProblem(f"{url} leads to {response.url}", "https", _OFFLINE)
    return response  # type: ignore[no-any-return]


def _offset(response: http.client.HTTPResponse, part: Path) -> int:
    """Where the answer's bytes belong: behind what is there, or at 0."""
    if response.status != http.client.PARTIAL_CONTENT:
        return 0
    start = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    if start != str(_size(part)):
        forget(part)
        raise _BrokenOff(f"the server sent bytes from {start or 'an unknown place'}")
    return int(start)


def _remember(url: str, part: Path, response: http.client.HTTPResponse) -> None:
    etag, modified = response.headers.get("ETag", ""), response.headers.get("Last-Modified", "")
    validator = etag if etag.startswith('"') else modified  # a weak ETag does not promise equal bytes
    write_json(_state(part), {"url": url, "validator": validator})


def _validator(url: str, part: Path) -> str:
    """What the beginning that is there was validated by, "" if it cannot be gone on from."""
    if not _size(part):
        return ""
    try:
        state = read_json(_state(part))
    except HwnasError:
        return ""
    if not isinstance(state, dict) or state.get("url") != url:
        return ""
    value = state.get("validator")
    return value if isinstance(value, str) and json.dumps(value).isascii() and value.isprintable() else ""


def forget(part: Path) -> None:
    """Remove a partial download."""
    for path in (part, _state(part)):
        path.unlink(missing_ok=True)


def _state(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0
