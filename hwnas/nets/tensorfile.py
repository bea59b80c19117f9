"""Named tensors in one file of the safetensors format, which holds no code and is read by other tools too.

    8 bytes            length L of the header, little-endian
    L bytes            strict JSON: name -> {"dtype", "shape", "data_offsets": [first, last)}, "__metadata__" -> texts
    the rest           the tensors' bytes, one behind the other, little-endian, row-major

Under "hwnas" the metadata holds our own header (JSON), under "sha256" the digest of the tensors' bytes.
Source: github.com/huggingface/safetensors, "Format".
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from profilers.errors import BadInput
from profilers.files import parse_json, read_bytes, write_bytes

_DTYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
    "I64": torch.int64, "I32": torch.int32, "U8": torch.uint8,
}  # fmt: skip
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}


def write_tensors(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
    """Write the file whole or not at all.

    Raises:
        FileProblem: the operating system refused; what was there before is as it was.
    """
    entries: dict[str, Any] = {}
    chunks, offset = [], 0
    for name, tensor in tensors.items():
        flat = tensor.detach().cpu().contiguous().reshape(-1)  # channels_last tensors become row-major
        chunks.append(flat.view(torch.uint8).numpy().tobytes())
        span = [offset, offset + len(chunks[-1])]
        entries[name] = {"dtype": _NAMES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": span}
        offset = span[1]
    data = b"".join(chunks)
    own = json.dumps(header, allow_nan=False, sort_keys=True)
    entries["__metadata__"] = {"hwnas": own, "sha256": hashlib.sha256(data).hexdigest()}
    text = json.dumps(entries).encode()
    text += b" " * (-len(text) % 8)
    write_bytes(path, len(text).to_bytes(8, "little") + text + data)


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and our header (empty if another tool wrote the file).

    Raises:
        FileProblem: it cannot be read.
        BadInput: it is not such a file, is truncated, or its bytes are not those that were written.
    """
    content = read_bytes(path)
    size = int.from_bytes(content[:8], "little")
    if len(content) < 8 or size > len(content) - 8:
        raise BadInput(f"{path} is not a safetensors file or is truncated", remedy=_REMEDY)
    entries, data = _entries(content[8 : 8 + size], path), content[8 + size :]
    metadata = entries.pop("__metadata__", {})
    if not isinstance(metadata, dict):
        raise BadInput(f"{path} has no readable metadata", remedy=_REMEDY)
    tensors = {name: _tensor(name, entry, data, path) for name, entry in entries.items()}
    if metadata.get("sha256", digest := hashlib.sha256(data).hexdigest()) != digest:
        raise BadInput(f"{path} is damaged: its checksum differs", remedy=_REMEDY)
    own = parse_json(str(metadata.get("hwnas", "{}")), f"the header of {path}")
    return tensors, own if isinstance(own, dict) else {}


_REMEDY = "take a fresh copy of the file, or train again"


def _entries(text: bytes, path: Path) -> dict[str, Any]:
    try:
        entries = parse_json(text.decode("utf-8"), f"the header of {path}")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is not a safetensors file", remedy=_REMEDY) from error
    if not isinstance(entries, dict):
        raise BadInput(f"{path} is not a safetensors file", remedy=_REMEDY)
    return entries


def _tensor(name: str, entry: Any, data: bytes, path: Path) -> Tensor:
    try:
        dtype, shape, (first, last) = _DTYPES[entry["dtype"]], [int(n) for n in entry["shape"]], entry["data_offsets"]
        fits = 0 <= first <= last <= len(data) and last - first == math.prod(shape) * dtype.itemsize
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(f"{path} describes tensor {name!r} in a way that is not understood", remedy=_REMEDY) from error
    if not fits or any(n < 0 for n in shape):
        raise BadInput(f"{path} is truncated or damaged: tensor {name!r} does not fit into it", remedy=_REMEDY)
    if first == last:
        return torch.empty(shape, dtype=dtype)
    return torch.frombuffer(bytearray(data[first:last]), dtype=dtype).reshape(shape)
