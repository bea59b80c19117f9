"""A runtime on a device elsewhere, as a `Profiler`: whoever measures does not know where."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from profilers.base import Loader, Options, Profiler, Session, Status
from profilers.devices.connection import Connection
from profilers.devices.elsewhere import Elsewhere
from profilers.devices.faults import clean
from profilers.devices.session import RemoteSession, number, whole
from profilers.devices.wire import BadMessage, Message
from profilers.errors import BadInput
from profilers.files import read_bytes, write_bytes
from profilers.registry import BUILTIN
from profilers.timing.footprint import Footprint

ENGINE_LIMIT = 1 << 32  # bytes of an engine's file that a device may send
Files = tuple[bytes, dict[str, int]]  # all in one, and the size of each by its name
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+_-]{0,60}")  # it becomes a part of run.py


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
        if self.name in BUILTIN:
            vars(self).update(suffixes=BUILTIN[self.name].suffixes)
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
        """An engine's files, sent there, or an ONNX model; loaded again where the link breaks later."""
        if path.suffix not in self.suffixes:
            return self.load(path, options)
        self.require(options)
        return self._kept(lambda: self._files(path), options)

    def footprint(self, path: Path, options: Options) -> Footprint:
        """Cold start and memory over there, in a fresh process; see `profilers.timing.footprint`."""
        data, sizes = self._files(path) if path.suffix in self.suffixes else _joined([path])
        asked: dict[str, Any] = {"engine": self.name, "options": asdict(options), "files": sizes}
        with self.place.pinned(options.threads):
            said = self.place.unit(lambda: self.place.ask("footprint", model=data, **asked)).header.get("footprint")
        if not isinstance(said, Mapping):
            raise BadMessage("no footprint")
        load, run = (number(said.get(name)) for name in ("load_ms", "first_run_ms"))
        least, most = (None if (mb := said.get(name)) is None else number(mb) for name in ("before_mb", "peak_mb"))
        return Footprint(load, run, least, most)

    def loader(self, file: str, options: Options) -> Loader:
        """The built-in runtime's, with the device's version and CPU: checked facts, never text that it sends."""
        version = self.status().version
        if not _VERSION.fullmatch(version):
            raise BadMessage(f"no version of a runtime: {clean(version)[:40]!r}")
        return BUILTIN[self.name]().loader_elsewhere(file, options, version, self.place.cpu().flags)

    def _compile(self, model: bytes, options: Options, gpus: tuple[str, ...], folder: Path) -> list[str]:
        """Over there, for the device as it is; its files are fetched under the names that they have here."""
        self.require(options)
        names = [f"model{suffix}" for suffix in self.suffixes]
        for name, data in self.place.unit(partial(self._compiled, model, options, names)).items():
            write_bytes(folder / name, data)
        return names

    def _compiled(self, model: bytes, options: Options, names: Sequence[str]) -> dict[str, bytes]:
        answer = self.place.ask("compile", model=model, engine=self.name, options=asdict(options))
        sizes = answer.header.get("files")
        if not isinstance(sizes, Mapping) or list(sizes) != list(names):
            raise BadMessage(f"other files than {', '.join(names)}")
        return {name: self._fetched(name, whole(sizes[name])) for name in names}

    def _fetched(self, name: str, size: int) -> bytes:
        """A compiled file, part by part."""
        if size > ENGINE_LIMIT:
            raise BadMessage(f"an engine of {size} bytes")
        data = bytearray()
        while len(data) < size:
            part = self.place.ask("part", file=name, at=len(data)).arrays().get("data")
            if part is None or not part.nbytes or len(data) + part.nbytes > size:
                raise BadMessage("a file of another size")
            data += part.tobytes()
        return bytes(data)

    def _status(self) -> Status:
        return self._found

    def _load(self, model: bytes | Path, options: Options, traced: bool) -> Session:
        if isinstance(model, Path):
            return self._kept(lambda: (read_bytes(model), {}), options, traced=traced)
        return RemoteSession(partial(self._loaded, model, options, traced=traced))

    def _kept(self, read: Callable[[], Files], options: Options, traced: bool = False) -> Session:
        """A session of files that stay here, from which it is loaded again."""

        def load() -> tuple[Connection, Message]:
            data, sizes = read()
            return self._loaded(data, options, traced=traced, files=sizes)

        return self.place.unit(lambda: RemoteSession(load, self.place.unit))

    def _loaded(self, data: bytes, options: Options, **more: Any) -> tuple[Connection, Message]:
        connection = self.place.connection
        return connection, connection.ask("load", model=data, engine=self.name, options=asdict(options), **more)

    def _files(self, path: Path) -> Files:
        return _joined([path.with_suffix(suffix) for suffix in self.suffixes])


def remote_profilers(place: Elsewhere, *names: str) -> list[RemoteProfiler]:
    """The runtimes of those names on a device, by default all that its agent knows; BadInput for an unknown one."""
    if not place.runtimes:
        rows = place.ask("engines").header.get("engines")
        place.runtimes = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    found = {profiler.name: profiler for profiler in (RemoteProfiler(place, row) for row in place.runtimes)}
    if missing := set(names) - set(found):
        raise BadInput(f"engine {min(missing)!r} on a device elsewhere", ", ".join(found))
    return [found[name] for name in names or found]


def _joined(paths: Sequence[Path]) -> Files:
    files = {path.name: read_bytes(path) for path in paths}
    return b"".join(files.values()), {name: len(data) for name, data in files.items()}


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
