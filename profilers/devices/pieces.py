"""Models on their way to a device: cut into pieces, so that weights that several networks share travel once.

piece   {"size": bytes} where its bytes follow, {"size": bytes, "sha": SHA-256} where they are known over there or
        are to be kept there; the payload has the bytes of all that are not known
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from profilers.devices.wire import BadMessage, Bytes
from profilers.onnx.nodes import weights

LEAST = 4096  # bytes of a weight worth remembering
MOST_KEPT = 2 << 30  # bytes kept on a device
PIECES = 100_000
_NAME = re.compile(r"\w[\w.-]{0,99}")


class Sent:
    """What this side has sent on one connection."""

    def __init__(self) -> None:
        self.known: set[str] = set()
        self.size = 0

    def cut(self, model: bytes) -> tuple[list[dict[str, Any]], list[Bytes]]:
        """The pieces of a model, and the bytes of those that are not known over there."""
        whole, parts, at = memoryview(model), [], 0
        about: list[dict[str, Any]] = []
        for start, stop in [span for span in weights(model) if span.stop - span.start >= LEAST]:
            if start > at:
                about.append({"size": start - at, "new": True})
                parts.append(whole[at:start])
            piece = self.piece(whole[start:stop])
            about.append(piece)
            if piece["new"]:
                parts.append(whole[start:stop])
            at = stop
        if at < len(whole):
            about.append({"size": len(whole) - at, "new": True})
            parts.append(whole[at:])
        return about, list(parts)

    def piece(self, weights: memoryview) -> dict[str, Any]:
        """Of weights, which are kept there as long as there is room for them."""
        sha, size = hashlib.sha256(weights).hexdigest(), len(weights)
        if sha in self.known:
            return {"size": size, "sha": sha, "new": False}
        if self.size + size > MOST_KEPT:
            return {"size": size, "new": True}
        self.known.add(sha)
        self.size += size
        return {"size": size, "sha": sha, "new": True}


class Kept:
    """What the agent keeps of what it was sent, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.size = folder, 0
        self.trouble: OSError | None = None  # why something could not be kept, as on a full disk

    def join(self, about: Any, payload: Bytes) -> bytes:
        """The model; BadMessage where pieces do not fit."""
        if not isinstance(about, list) or len(about) > PIECES:
            raise BadMessage("no list of pieces")
        data, parts, at = memoryview(payload), [], 0
        for piece in about:
            size, sha = _described(piece)
            if not piece.get("new"):
                parts.append(self.read(sha, size))
                continue
            part = data[at : at + size]
            if len(part) != size:
                raise BadMessage("a piece that is cut off")
            at += size
            if sha:
                self.keep(sha, part)
            parts.append(bytes(part))
        return b"".join(parts)

    def keep(self, sha: str, part: Bytes) -> None:
        """Store a piece under its hash."""
        if hashlib.sha256(part).hexdigest() != sha:
            raise BadMessage("a piece that is not what it says")
        self.size += len(part)
        if self.size > MOST_KEPT:
            raise OSError(f"more than {MOST_KEPT >> 30} GiB of weights")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / sha).write_bytes(part)
        except OSError as error:
            self.trouble = error
            raise

    def read(self, sha: str, size: int) -> bytes:
        """A piece that was kept."""
        if self.trouble is not None:
            raise self.trouble
        try:
            found = (self.folder / sha).read_bytes()
        except OSError as error:
            raise BadMessage(f"an unknown piece {sha}") from error
        if len(found) != size:
            raise BadMessage("a piece of another size")
        return found

    def unpack(self, sizes: Any, data: bytes) -> Path:
        """Files of one engine, in a new folder; the first of them. BadMessage for a name that leads anywhere."""
        if not isinstance(sizes, dict) or sum(sizes.values()) != len(data):
            raise BadMessage("no files")
        folder = Path(tempfile.mkdtemp(prefix="engine-", dir=self.folder))
        at = 0
        for name, size in sizes.items():
            if not _NAME.fullmatch(name):
                raise BadMessage(f"a file called {name[:100]!r}")
            (folder / name).write_bytes(data[at : at + size])
            at += size
        return folder / str(next(iter(sizes)))

    def remove(self) -> None:
        """Nothing of it stays on the device."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _described(piece: Any) -> tuple[int, str]:
    """Its size and its hash, "" where it has none."""
    if not isinstance(piece, dict) or type(piece.get("size")) is not int or not 0 <= piece["size"] < 1 << 32:
        raise BadMessage("no piece")
    sha = piece.get("sha", "")
    if not isinstance(sha, str) or (sha and (len(sha) != 64 or not set(sha) <= set("0123456789abcdef"))):
        raise BadMessage("no hash")
    return piece["size"], sha
