"""Named tensors in one safetensors file, which holds no code and is read by other tools too.

The file's metadata holds our own header (JSON) under "hwnas", and under "sha256" the digest of the tensors' bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from profilers import limits
from profilers.errors import BadInput, said
from profilers.files import parse_json, read_bytes, write_bytes

_REMEDY = "take a fresh copy of the file, or train again"


def write_tensors(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
    """Write the file whole or not at all.

    Raises:
        FileProblem: the operating system refused; what was there before is as it was.
    """
    # copies, since the format refuses tensors that share memory; channels_last ones become row-major
    plain = {
        name: t.detach().to("cpu", copy=True, memory_format=torch.contiguous_format) for name, t in tensors.items()
    }
    digest = _digest(_data(safetensors.torch.save(plain)))
    own = json.dumps(header, allow_nan=False, sort_keys=True)
    metadata = {"hwnas": own, "sha256": digest, "hwnas_sha256": _digest(own.encode())}
    write_bytes(path, safetensors.torch.save(plain, metadata))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and our header (empty if another tool wrote the file).

    Raises:
        FileProblem: it cannot be read.
        BadInput: it is not such a file, is truncated, or its bytes are not those that were written.
    """
    content = read_bytes(path)
    _check_header(content, path)
    try:
        tensors = safetensors.torch.load(content)
    except SafetensorError as error:
        got = f"{path} is not a safetensors file, truncated or damaged: {said(error)}"
        raise BadInput(got, remedy=_REMEDY) from error
    except (AssertionError, ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise BadInput(f"{path} holds a tensor of a shape or type that torch does not have", remedy=_REMEDY) from error
    metadata = _metadata(content, path)
    header = metadata.get("hwnas", "{}")
    for name, data in (("sha256", _data(content)), ("hwnas_sha256", header.encode(errors="surrogatepass"))):
        if metadata.get(name, digest := _digest(data)) != digest:  # earlier files lack the second
            raise BadInput(f"{path} is damaged: its checksum differs", remedy=_REMEDY)
    own = parse_json(header, f"the header of {path}")
    return tensors, own if isinstance(own, dict) else {}


def _check_header(content: bytes, path: Path) -> None:
    """BadInput for one that is larger than any of ours, before something is made of it."""
    if (size := _header_size(content)) > limits.HEADER_BYTES:
        got = f"{path} is not a safetensors file of ours: its header would have {size:,} bytes"
        raise BadInput(got, f"at most {limits.HEADER_BYTES:,}", _REMEDY)


def _digest(data: bytes | memoryview) -> str:
    return hashlib.sha256(data).hexdigest()


def _metadata(content: bytes, path: Path) -> dict[str, str]:
    """The texts beside the tensors; the library gives them only from a path, and this file has been read already."""
    entries = parse_json(content[8 : 8 + _header_size(content)].decode(errors="replace"), f"the header of {path}")
    metadata = entries.get("__metadata__") or {}
    return {str(key): str(value) for key, value in metadata.items()}


def _data(content: bytes) -> memoryview:
    """The tensors' bytes, behind the header and its length."""
    return memoryview(content)[8 + _header_size(content) :]


def _header_size(content: bytes) -> int:
    return int.from_bytes(content[:8], "little")
