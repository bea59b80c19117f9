"""The nodes of an ONNX graph, read from its bytes without the package `onnx`, which devices elsewhere need not have.

Source: protobuf's encoding, and the field numbers of onnx.proto. Weights are passed over, so this is quick.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from profilers.errors import BadInput
from profilers.files import read_bytes

GRAPH = 7  # of ModelProto
NODE, INITIALIZER, INPUT, OUTPUT = 1, 5, 11, 12  # of GraphProto
RAW_DATA = 9  # of TensorProto
NAME = 1  # of ValueInfoProto
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


class Node(NamedTuple):
    """As in a NodeProto."""

    input: tuple[str, ...]
    output: tuple[str, ...]
    name: str
    op_type: str


class Nodes(NamedTuple):
    """Of one graph: its nodes in order, and the names of its inputs and outputs."""

    node: tuple[Node, ...]
    input: tuple[str, ...]
    output: tuple[str, ...]


class Span(NamedTuple):
    """Bytes of a model, from `start` to before `stop`."""

    start: int
    stop: int


def read_nodes(model: bytes | Path) -> Nodes:
    """The nodes of a model's own graph, without those inside an If or a Loop.

    Raises:
        BadInput: no ONNX model. FileProblem: the file cannot be read.
    """
    data = read_bytes(model) if isinstance(model, Path) else model
    try:
        parts = [part for graph in _of(data, Span(0, len(data)), GRAPH) for part in fields(data, graph)]
        nodes = tuple(_node(data, span) for number, span in parts if number == NODE)
        entries, exits = (tuple(_name(data, span) for number, span in parts if number == k) for k in (INPUT, OUTPUT))
    except (ValueError, IndexError) as error:
        raise BadInput(f"the model cannot be read as ONNX: {error}", "an ONNX model") from error
    return Nodes(nodes, entries, exits)


def weights(model: bytes) -> list[Span]:
    """Where the raw bytes of each initializer lie, in order; none where the model is in another format."""
    try:
        graphs = _of(model, Span(0, len(model)), GRAPH)
        tensors = [span for graph in graphs for span in _of(model, graph, INITIALIZER)]
        return [span for tensor in tensors for span in _of(model, tensor, RAW_DATA)]
    except (ValueError, IndexError):
        return []


def fields(data: bytes, message: Span) -> Iterator[tuple[int, Span]]:
    """(number, where) of each field of a message that holds bytes; ValueError or IndexError where it is none."""
    at = message.start
    while at < message.stop:
        key, at = _varint(data, at)
        kind, number = key & 7, key >> 3
        if kind == VARINT:
            _, at = _varint(data, at)
            continue
        if kind == BYTES:
            size, at = _varint(data, at)
        elif kind in (FIXED64, FIXED32):
            size = 8 if kind == FIXED64 else 4
        else:
            raise ValueError(f"a field of kind {kind}")
        if not number or at + size > message.stop:
            raise ValueError("a field that is longer than its message")
        if kind == BYTES:
            yield number, Span(at, at + size)
        at += size


def _of(data: bytes, message: Span, wanted: int) -> Iterator[Span]:
    return (span for number, span in fields(data, message) if number == wanted)


def _node(data: bytes, message: Span) -> Node:
    found: dict[int, list[str]] = {1: [], 2: [], 3: [], 4: []}
    for number, span in fields(data, message):
        if number in found:
            found[number].append(_text(data, span))
    return Node(tuple(found[1]), tuple(found[2]), "".join(found[3][-1:]), "".join(found[4][-1:]))


def _name(data: bytes, message: Span) -> str:
    return next((_text(data, span) for span in _of(data, message, NAME)), "")


def _text(data: bytes, span: Span) -> str:
    return data[span.start : span.stop].decode("utf-8")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """The value that begins there, and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            return value, at
        if shift > 63:
            raise ValueError("a number of more than 64 bits")
