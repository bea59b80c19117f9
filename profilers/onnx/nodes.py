"""The nodes of an ONNX graph, read from its bytes without the package `onnx`, which devices elsewhere need not have.

Source: protobuf's encoding, and the field numbers of onnx.proto. Weights are passed over, so this is quick.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Union

from profilers.errors import BadInput
from profilers.files import read_bytes

GRAPH = 7  # of ModelProto
NODE, INITIALIZER, INPUT, OUTPUT = 1, 5, 11, 12  # of GraphProto
RAW_DATA = 9  # of TensorProto
NAME = 1  # of ValueInfoProto
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
Span = Union[memoryview, int]  # evaluated, and Python 3.9 has no X | Y


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


def read_nodes(model: bytes | Path) -> Nodes:
    """The nodes of a model's own graph, without those inside an If or a Loop.

    Raises:
        BadInput: no ONNX model. FileProblem: the file cannot be read.
    """
    data = memoryview(read_bytes(model) if isinstance(model, Path) else model)
    try:
        parts = [part for graph in _of(data, GRAPH) for part in fields(graph)]
        nodes = tuple(_node(part) for number, part in parts if number == NODE)
        entries, exits = (tuple(_name(part) for number, part in parts if number == k) for k in (INPUT, OUTPUT))
    except (ValueError, IndexError, TypeError) as error:
        raise BadInput(f"the model cannot be read: {error}", "an ONNX model") from error
    return Nodes(nodes, entries, exits)


def weights(model: bytes) -> Iterator[memoryview]:
    """The raw bytes of each initializer, in the order in which they stand in the model; BadInput: no ONNX model."""
    try:
        for graph in _of(memoryview(model), GRAPH):
            for tensor in _of(graph, INITIALIZER):
                yield from _of(tensor, RAW_DATA)
    except (ValueError, IndexError, TypeError) as error:
        raise BadInput(f"the model cannot be read: {error}", "an ONNX model") from error


def fields(message: memoryview) -> Iterator[tuple[int, Span]]:
    """(number, content) of each field of a message; ValueError or IndexError where it is none."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind, number = key & 7, key >> 3
        if kind == VARINT:
            value, at = _varint(message, at)
            yield number, value
            continue
        if kind == BYTES:
            size, at = _varint(message, at)
        elif kind in (FIXED64, FIXED32):
            size = 8 if kind == FIXED64 else 4
        else:
            raise ValueError(f"a field of kind {kind}")
        if not number or at + size > len(message):
            raise ValueError("a field that is longer than its message")
        yield number, message[at : at + size]
        at += size


def _of(message: memoryview, wanted: int) -> Iterator[memoryview]:
    return (part for number, part in fields(message) if number == wanted and isinstance(part, memoryview))


def _node(message: Span) -> Node:
    found: dict[int, list[str]] = {1: [], 2: [], 3: [], 4: []}
    for number, part in fields(_bytes(message)):
        if number in found:
            found[number].append(_text(part))
    return Node(tuple(found[1]), tuple(found[2]), "".join(found[3][-1:]), "".join(found[4][-1:]))


def _name(message: Span) -> str:
    return next((_text(part) for number, part in fields(_bytes(message)) if number == NAME), "")


def _text(part: Span) -> str:
    return bytes(_bytes(part)).decode("utf-8")


def _bytes(part: Span) -> memoryview:
    if isinstance(part, int):
        raise TypeError("a number in place of text")
    return part


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """The value that begins there, and where it ends."""
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            return value, at
        if shift > 63:
            raise ValueError("a number of more than 64 bits")
