"""What the agent does for engines: compiles them there, gives their files away, and starts them in fresh processes."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from profilers.base import Options
from profilers.devices.pieces import Kept
from profilers.devices.runtimes import runtime
from profilers.devices.wire import Arrays, BadMessage, Message
from profilers.isolate import run_limited
from profilers.timing.footprint import Footprint, footprint

PART = 1 << 25  # bytes of a file that are sent at once
SECONDS = 120.0  # for one start
Answer = tuple[dict[str, Any], Arrays]


class Building:
    """One connection's compiled engine, of which there is one at a time."""

    def __init__(self, kept: Kept) -> None:
        self.kept = kept
        self.folder: Path | None = None
        self.requests: dict[str, Callable[[Message], Answer]] = {
            "compile": self.compile, "part": self.part, "footprint": self.footprint,
        }  # fmt: skip

    def compile(self, request: Message) -> Answer:
        """Compile an engine; its files by name with their sizes."""
        header = request.header
        model = self.kept.join(header.get("pieces"), request.payload)
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
        self.folder = Path(tempfile.mkdtemp(prefix="compiled-"))
        found = runtime(header["engine"]).compile(model, Options(**header["options"]), (), self.folder)
        return {"files": {name: (self.folder / name).stat().st_size for name in found}}, {}

    def part(self, request: Message) -> Answer:
        """Some bytes of a compiled file."""
        name, at = request.header.get("file"), int(request.header["at"])
        if self.folder is None or name not in {path.name for path in self.folder.iterdir()}:
            raise BadMessage("no such file")
        with (self.folder / name).open("rb") as stream:
            stream.seek(at)
            return {}, {"data": np.frombuffer(stream.read(PART), np.uint8)}

    def footprint(self, request: Message) -> Answer:
        """Cold start and memory of an engine; see `profilers.timing.footprint`."""
        header = request.header
        data = self.kept.join(header.get("pieces"), request.payload)
        path, options = self.kept.unpack(header.get("files"), data), Options(**header["options"])
        try:
            found = run_limited(_footprint, header["engine"], path, options, seconds=SECONDS)
        finally:
            shutil.rmtree(path.parent, ignore_errors=True)
        return {"footprint": asdict(found)}, {}


def _footprint(engine: str, path: Path, options: Options) -> Footprint:
    return footprint(runtime(engine), path, options)
