"""A runtime on a device elsewhere, as a `Profiler`: whoever measures does not know where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from profilers.base import Options, Profiler, Session, Status
from profilers.devices.elsewhere import Elsewhere
from profilers.devices.faults import clean
from profilers.devices.session import RemoteSession
from profilers.errors import BadInput
from profilers.files import read_bytes
from profilers.registry import BUILTIN


class RemoteProfiler(Profiler):
    """A runtime as the agent describes it; its models are sent, loaded and run there."""

    place: Elsewhere

    def __init__(self, place: Elsewhere, said: Mapping[str, Any]) -> None:
        self.place = place
        lists = {key: _texts(said.get(key)) for key in ("precisions", "supported", "levels")}
        vars(self).update(
            name=clean(said.get("engine")),
            device=clean(said.get("device", "")),
            precisions=lists["precisions"],
            levels=lists["levels"],
            traces=said.get("traces") is True,
            supports_parallel_load=said.get("parallel") is True,
        )
        self._supported, self._device_name = lists["supported"], clean(said.get("device_name", ""))
        texts = (clean(said.get(key, "")) for key in ("version", "reason", "remedy"))
        self._found = _there(place, Status(said.get("available") is True, *texts))

    def supported_precisions(self) -> tuple[str, ...]:
        """Those of the device."""
        return self._supported

    def device_name(self) -> str:
        """Of the device."""
        return self._device_name

    def open(self, path: Path, options: Options) -> Session:
        """An engine's files, sent there, or an ONNX model."""
        suffixes = BUILTIN[self.name].suffixes if self.name in BUILTIN else ()
        if path.suffix not in suffixes:
            return self.load(path, options)
        self.require(options)
        files = {file.name: read_bytes(file) for file in map(path.with_suffix, suffixes)}
        sizes = {name: len(data) for name, data in files.items()}
        return self._session(b"".join(files.values()), options, files=sizes)

    def _status(self) -> Status:
        return self._found

    def _load(self, model: bytes | Path, options: Options, traced: bool) -> Session:
        data = model if isinstance(model, bytes) else read_bytes(model)
        return self._session(data, options, traced=traced)

    def _session(self, data: bytes, options: Options, **more: Any) -> Session:
        connection = self.place.connection
        answer = connection.ask("load", model=data, engine=self.name, options=asdict(options), **more)
        return RemoteSession(connection, answer)


def remote_profilers(place: Elsewhere, *names: str) -> list[RemoteProfiler]:
    """The runtimes of those names on a device, by default all that its agent knows; BadInput for an unknown one."""
    if not place.runtimes:
        rows = place.ask("engines").header.get("engines")
        place.runtimes = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    found = {profiler.name: profiler for profiler in (RemoteProfiler(place, row) for row in place.runtimes)}
    if missing := set(names) - set(found):
        raise BadInput(f"engine {min(missing)!r} on a device elsewhere", ", ".join(found))
    return [found[name] for name in names or found]


def _there(place: Elsewhere, status: Status) -> Status:
    """The reason with the host, and the remedy where it is carried out."""
    if status.available:
        return status
    remedy = status.remedy.replace(
        "pip install", f"{place.connection.about.get('executable', 'python3')} -m pip install"
    )
    reason = f"{status.reason} on {place.host}"
    return Status(False, status.version, reason, f"there: {remedy}" if remedy else "")


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(clean(text) for text in value) if isinstance(value, list) else ()
