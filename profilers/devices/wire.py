"""Messages between this program and the agent on a device: a JSON object and an array's or a model's bytes.

    frame    4 bytes "hwna", length of the header (u32), length of the payload (u64), header, payload; big-endian
    header   a JSON object; "arrays" in it says which arrays the payload is made of, one behind the other

Nothing is pickled, every size is bounded before anything is read, and what an array says of itself must fit its bytes.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, Union

import numpy as np
from numpy.typing import NDArray

from profilers.errors import MeasurementFailed
from profilers.onnx.shapes import DTYPES

FRAME = struct.Struct(">4sIQ")
MAGIC = b"hwna"
HEADER_LIMIT = 1 << 24
PAYLOAD_LIMIT = 1 << 32  # models are at most 2 GiB
DIMENSIONS = 32
STRANGE = "the other side of the link says something that it should not"
Bytes = Union[bytes, bytearray, memoryview]
Arrays = Mapping[str, NDArray[Any]]


class BadMessage(MeasurementFailed):
    """What was received is no message of ours, or does not say what it must."""

    def __init__(self, what: str, *more: str) -> None:
        super().__init__(what if what.startswith(STRANGE) else f"{STRANGE}: {what}", *more)


class Message(NamedTuple):
    """A header and its payload."""

    header: dict[str, Any]
    payload: bytearray

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays that the payload is made of, by name."""
        return unpack(self.header.get("arrays", []), self.payload)


class Writable(Protocol):
    """What `send` needs of a stream."""

    def write(self, data: Any, /) -> Any:
        """All of the bytes."""

    def flush(self) -> None:
        """They are on their way when this returns."""


class Readable(Protocol):
    """What `receive` needs of a stream."""

    def read(self, size: int, /) -> bytes:
        """At most so many bytes; none at the end."""


def send(stream: Writable, header: Mapping[str, Any], parts: Iterable[Bytes] = ()) -> None:
    """Write one message; OSError where the other side is gone."""
    parts = [memoryview(part).cast("B") if len(part) else b"" for part in parts]
    text = json.dumps(header, allow_nan=False).encode()
    if len(text) > HEADER_LIMIT:
        raise BadMessage(f"a header of {len(text)} bytes")
    stream.write(FRAME.pack(MAGIC, len(text), sum(map(len, parts))) + text)
    for part in parts:
        stream.write(part)
    stream.flush()


def receive(stream: Readable, payload_limit: int = PAYLOAD_LIMIT) -> Message | None:
    """Read one message; None where the stream has ended, in the middle of one too.

    Raises:
        BadMessage: something else, or more than is allowed.
    """
    start = _exactly(stream, FRAME.size)
    if start is None:
        return None
    magic, size, more = FRAME.unpack(start)
    if magic != MAGIC or size > HEADER_LIMIT or more > payload_limit:
        raise BadMessage(f"no message of ours: {bytes(start[:16])!r}")
    text = _exactly(stream, size)
    payload = None if text is None else _exactly(stream, more)
    if text is None or payload is None:
        return None
    try:
        header = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise BadMessage(f"a header that is no JSON: {error}") from error
    if not isinstance(header, dict):
        raise BadMessage("a header that is no object")
    return Message(header, payload)


def pack(arrays: Arrays) -> tuple[list[dict[str, Any]], list[Bytes]]:
    """Arrays as a header describes them, and their bytes."""
    whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    about = [{"name": name, "dtype": a.dtype.name, "shape": list(np.shape(arrays[name]))} for name, a in whole.items()]
    return about, [a.tobytes() for a in whole.values()]


def unpack(about: Any, payload: Bytes) -> dict[str, NDArray[Any]]:
    """The inverse of `pack`; BadMessage unless the arrays are exactly the payload."""
    found, at = {}, 0
    for each in about if isinstance(about, list) else [None]:
        name, dtype, shape = _described(each)
        size = int(np.prod(shape, dtype=object)) * dtype.itemsize
        if at + size > len(payload):
            raise BadMessage(f"array {name!r} of {size} bytes in {len(payload)}")
        found[name] = (
            np.frombuffer(payload, dtype, size // dtype.itemsize, at).reshape(shape) if size else np.zeros(shape, dtype)
        )
        at += size
    if at != len(payload):
        raise BadMessage(f"{len(payload) - at} bytes too many")
    return found


def _described(each: Any) -> tuple[str, np.dtype[Any], Sequence[int]]:
    if not isinstance(each, dict) or not isinstance(each.get("name"), str) or each.get("dtype") not in DTYPES:
        raise BadMessage(f"no array: {str(each)[:100]}")
    shape = each.get("shape")
    if (
        not isinstance(shape, list)
        or len(shape) > DIMENSIONS
        or not all(type(n) is int and 0 <= n < 1 << 40 for n in shape)
    ):
        raise BadMessage(f"an array of shape {str(shape)[:100]}")
    return each["name"], np.dtype(each["dtype"]), shape


def _exactly(stream: Readable, size: int) -> bytearray | None:
    """So many bytes; None where the stream ends before. What was announced is not allotted before it arrives."""
    data = bytearray()
    while len(data) < size:
        part = stream.read(min(size - len(data), 1 << 20))
        if not part:
            return None
        data += part
    return data
