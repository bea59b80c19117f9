"""Arrays from an .npz file: numbers only, of the size that the file says, and no more than fits."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from profilers import limits
from profilers.errors import BadInput, said, shown
from profilers.files import read_bytes

Arrays = dict[str, np.ndarray[Any, Any]]
_KINDS = "biuf"  # of a type: booleans, whole numbers, floating-point ones
_HEAD = 2**16  # bytes, of which the description of an array has far fewer


def read_arrays(path: Path, names: Iterable[str] | None = None) -> Arrays:
    """The arrays of these names, by default all.

    Raises:
        FileProblem: it cannot be read.
        BadInput: no such file, a damaged one, an array that is missing, of another type, or larger than the limit.
    """
    data = read_bytes(path)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {found.filename.removesuffix(".npy"): found for found in archive.infolist()}
            wanted = list(members if names is None else names)
            if lost := [name for name in wanted if name not in members]:
                raise BadInput(f"{path} has no array {shown(lost[0])}", "an array for each input")
            if (size := sum(members[name].file_size for name in wanted)) > limits.FILE_BYTES:
                raise BadInput(f"{path} unpacks to {size:,} bytes", f"at most {limits.FILE_BYTES:,}")
            return {name: _array(archive, members[name]) for name in wanted}
    except (BadInput, MemoryError):
        raise
    except Exception as error:  # whatever zipfile, zlib and NumPy's parsers make of broken bytes
        raise BadInput(f"{path} is no .npz that can be read: {said(error)}", "what numpy.savez wrote") from error


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray[Any, Any]:
    """Its description is compared with its size before any memory is asked for."""
    with archive.open(member) as stream:
        head = io.BytesIO(stream.read(_HEAD))
        version = np.lib.format.read_magic(head)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(head)
        if dtype.kind not in _KINDS:
            raise ValueError(f"{member.filename} is of type {dtype}")
        if math.prod(shape) * dtype.itemsize != member.file_size - head.tell() or min(shape, default=0) < 0:
            raise ValueError(f"{member.filename} is said to be {shape} and has {member.file_size - head.tell()} bytes")
        content = head.read() + stream.read()
    values = np.frombuffer(bytearray(content), dtype)
    return values.reshape(shape, order="F" if fortran else "C")
