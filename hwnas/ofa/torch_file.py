"""What torch.save wrote, read without running any of it.

torch's own restricted reader (`weights_only=True`) builds tensors and plain values, and refuses everything else. What
trainers put beside the weights (numpy scalars, `argparse.Namespace`, configurations of other packages) is read by the
same reader with a stand-in in place of each such name: a type that is made here and keeps nothing but plain values.
The name is never looked up, so no code of a file's choosing can be reached. A name of Python, torch or numpy that is
not of the list below, and any call of something else, is refused.
"""

from __future__ import annotations

import io
import pickletools
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch._utils import IMPORT_MAPPING, NAME_MAPPING

from profilers.errors import BadInput
from profilers.files import read_bytes

_NUMPY = {
    *(f"numpy.{core}.multiarray.{name}" for core in ("core", "_core") for name in ("scalar", "_reconstruct")),
    "numpy.dtype",
    "numpy.ndarray",
}
_STANDARD = {
    *(f"pathlib.{name}" for name in ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath", "Path")),
    *(f"datetime.{name}" for name in ("date", "datetime", "time", "timedelta")),
    *(f"builtins.{name}" for name in ("dict", "list", "tuple", "set", "frozenset", "str", "int", "float", "bool")),
    *(f"builtins.{name}" for name in ("bytes", "slice", "range")),
    "argparse.Namespace",
    "types.SimpleNamespace",
    "collections.defaultdict",
}
_OURS = {"torch", "numpy", "hwnas", "lut", "profilers"}  # whose other names no checkpoint needs
_MEMBER, _MOST = "data.pkl", 2**28  # of the zip archive; bytes of it, which hold no weights
_PROTOCOL = 2  # that torch's reader understands
_PARTS = 5  # of an old file: number, version, system, contents, names of the tensors that lie behind
_ALLOWED = "tensors, plain values, numpy scalars, Namespace and objects without calls"
_REMEDY = "torch.save({'state_dict': …}, FILE), with the tensors alone, where you trust it"


class _Called(type):
    """Of stand-ins for types of other packages, whose objects are rebuilt without a call."""

    def __call__(cls, *_: Any, **__: Any) -> Any:
        raise _Refused(f"a call of {cls.__module__}.{cls.__qualname__}")


class _Refused(Exception):
    """A call; its text says of what."""


class _Passive:
    """Takes the place of an object of numpy, and forgets what it is given."""

    def __new__(cls, *_: Any) -> _Passive:
        return object.__new__(cls)

    def __init__(self, *_: Any) -> None: ...

    def __setstate__(self, _: Any) -> None: ...


def is_torch_file(path: Path) -> bool:
    """Whether a file was written by torch.save (a zip archive, or a pickle in old ones)."""
    return read_bytes(path)[:2] in (b"PK", b"\x80\x02")


def read_torch_file(path: Path) -> Any:
    """What a torch file holds, on the CPU; objects of other packages have become dictionaries or nothing.

    Raises:
        FileProblem: it cannot be read.
        BadInput: another kind of file, a damaged one, or one that asks for code to be run.
    """
    data = read_bytes(path)
    try:
        names = sorted(set(_names(data)))
        stand_ins: list[Any] = [_stand_in(name) for name in names if not _of_torch(name)]
        with torch.serialization.safe_globals(stand_ins) if stand_ins else nullcontext():  # torch 2.5 has these
            return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except _Refused as refused:
        raise BadInput(f"{path} asks for {refused}, which is not done", _ALLOWED, _REMEDY) from refused
    except Exception as error:  # whatever torch makes of a file that is not a checkpoint
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadInput(f"{path} is not a torch file of plain tensors: {reason[:120]}") from error


def _of_torch(name: str) -> bool:
    """Whether torch's reader knows it by itself: what rebuilds tensors, and plain containers."""
    return name in torch._weights_only_unpickler._get_allowed_globals()


def _stand_in(name: str) -> type:
    """A type of that name without contents; raises for a name that no checkpoint needs."""
    module, _, own = name.rpartition(".")
    namespace = {"__module__": module, "__qualname__": own}
    if name in _NUMPY:
        return type(own, (_Passive,), namespace)
    if name in _STANDARD:
        return type(own, (), namespace | {"__new__": _empty})
    root = module.partition(".")[0]
    if root in sys.stdlib_module_names | _OURS:
        raise _Refused(name)
    return _Called(own, (), namespace | {"__new__": _empty})


def _empty(*_: Any) -> OrderedDict[Any, Any]:
    """What takes the place of an object: its items and attributes are put into it, and nothing reads them."""
    return OrderedDict()


def _names(data: bytes) -> Iterator[str]:
    """Every global name in the instructions of a torch file, "module.name"."""
    archive = data.startswith(b"PK")
    stream = io.BytesIO(_instructions(data) if archive else data)
    for _ in range(1 if archive else _PARTS):
        for code, argument, _place in pickletools.genops(stream):
            if code.name == "PROTO" and argument != _PROTOCOL:
                raise ValueError(f"pickle protocol {argument}, where torch.save writes {_PROTOCOL}")
            if code.name == "GLOBAL":
                yield _full_name(*str(argument).split(" ", 1))


def _full_name(module: str, name: str) -> str:
    """As torch's reader looks it up: the names of Python 2, which torch.save writes, become today's."""
    module, name = NAME_MAPPING.get((module, name), (IMPORT_MAPPING.get(module, module), name))
    return f"{module}.{name}"


def _instructions(archive: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        member = next((m for m in opened.infolist() if m.filename.rpartition("/")[2] == _MEMBER), None)
        if member is None:
            raise ValueError(f"a zip archive without {_MEMBER}")
        if member.file_size > _MOST:
            raise ValueError(f"{_MEMBER} has {member.file_size:,} bytes")
        return opened.read(member)
