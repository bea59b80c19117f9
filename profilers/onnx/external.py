"""Weights that lie in files beside an ONNX model ("external data"), taken into it; nothing outside its folder is read.

Source: ONNX, "External Data" (location, offset and length of a tensor's bytes).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from math import prod
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from profilers.errors import BadInput, FileProblem, shown

if TYPE_CHECKING:
    import onnx

LARGEST = 2**31 - 1
"""Bytes of a model with its weights: protobuf's limit, and that of every runtime which is given bytes."""
PACKED = ("int4", "uint4", "float4", "int2", "uint2", "float6")  # types of which several share a byte


class _Piece(NamedTuple):
    tensor: onnx.TensorProto
    path: Path
    offset: int
    length: int


def take_in(proto: onnx.ModelProto, folder: Path | None, what: str) -> None:
    """Read the external weights of a model into it.

    Args:
        proto: changed in place.
        folder: that of the model's file; None where it came as bytes, and so has none.
        what: the model, for messages.

    Raises:
        BadInput: weights outside the folder (absolute paths, `..`, links that lead out), or of another length than
            their tensor; a model of bytes; more than protobuf's 2 GB.
        FileProblem: a file that is missing or cannot be read.
    """
    outside = [tensor for tensor in all_tensors(proto) if tensor.data_location == tensor.EXTERNAL]
    if outside and folder is None:
        raise BadInput(f"{what} has weights in other files, and bytes have no folder", remedy="give the model's path")
    pieces = [_piece(tensor, folder) for tensor in outside if folder is not None]
    check_size(proto.ByteSize() + sum(piece.length for piece in pieces), what)
    for piece in pieces:
        piece.tensor.raw_data = _read(piece)
        piece.tensor.ClearField("external_data")
        piece.tensor.ClearField("data_location")


def check_size(size: int, what: str) -> None:
    """BadInput beyond `LARGEST` bytes."""
    if size > LARGEST:
        got = f"{what} has {size / 1e9:.1f} GB with its weights"
        raise BadInput(got, "less than 2.1 GB, the most that an ONNX model holds", "weights of 16 bits")


def all_tensors(proto: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Every constant of a model: initializers and attributes, also of subgraphs and functions."""
    yield from _of_graph(proto.graph)
    yield from _of_nodes(chain.from_iterable(function.node for function in proto.functions))


def _of_graph(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from _of_nodes(graph.node)


def _of_nodes(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.TensorProto]:
    for attribute in chain.from_iterable(node.attribute for node in nodes):
        yield from (attribute.t, *attribute.tensors)
        for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
            yield from (sparse.values, sparse.indices)
        for graph in ([attribute.g] if attribute.HasField("g") else []) + list(attribute.graphs):
            yield from _of_graph(graph)


def _piece(tensor: onnx.TensorProto, folder: Path) -> _Piece:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    path = _place(folder, entries.get("location", ""), tensor.name)
    size = path.stat().st_size
    offset = _number(entries.get("offset", "0"), tensor.name)
    length = _number(entries.get("length", str(max(size - offset, 0))), tensor.name)
    if offset + length > size or length != _bytes_of(tensor, length):
        got = f"weight {shown(tensor.name)} takes bytes {offset} to {offset + length} of {path.name}, which has {size}"
        raise BadInput(got, f"{_bytes_of(tensor, length)} bytes inside the file", "export the model again")
    return _Piece(tensor, path, offset, length)


def _place(folder: Path, location: str, name: str) -> Path:
    """The file, inside the folder."""
    named = PurePosixPath(location)
    try:
        path = (folder / location).resolve()
        inside = path.is_relative_to(folder.resolve()) and not named.is_absolute() and ".." not in named.parts
        found = path.is_file()
    except (OSError, RuntimeError, ValueError):  # a name too long, links in a circle, a zero in the name
        inside = found = False
    if not location or not inside:
        got = f"weight {shown(name)} lies in {shown(location)}, outside of the model's folder"
        raise BadInput(got, "files beside the model or below it", "copy them there and export the model again")
    if not found:
        raise FileProblem(f"cannot read {path}, which holds weight {shown(name)}: no such file", remedy="copy it there")
    return path


def _number(text: str, name: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise BadInput(f"weight {shown(name)} has {shown(text)} where a number of bytes belongs", "a whole number")
    return int(text)


def _bytes_of(tensor: onnx.TensorProto, length: int) -> int:
    """What the tensor's shape and type take; `length` for types of less than a byte."""
    import onnx

    try:
        kind = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
    except (KeyError, TypeError, ValueError):
        raise BadInput(f"weight {shown(tensor.name)} of type {tensor.data_type}", "a type of ONNX") from None
    return length if kind.name.startswith(PACKED) else prod(tensor.dims) * kind.itemsize


def _read(piece: _Piece) -> bytes:
    try:
        with piece.path.open("rb") as stream:
            stream.seek(piece.offset)
            return stream.read(piece.length)
    except OSError as error:
        raise FileProblem(f"cannot read {piece.path}: {error.strerror or error}", remedy="check the path") from error
