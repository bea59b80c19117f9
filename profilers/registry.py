"""The runtimes by name: built in, of installed packages (entry points `hwnas.runtimes`), or `python:module:Class`.

A new one here is one file and one line in `BUILTIN`.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from profilers.base import Profiler, Status
from profilers.errors import BadInput
from profilers.plugins import PREFIX, Registry
from profilers.reasons import foreign
from profilers.runtimes.fake import Fake
from profilers.runtimes.onnxruntime import OnnxRuntime, OnnxRuntimeCuda
from profilers.runtimes.openvino import OpenVino
from profilers.runtimes.tensorrt.session import TensorRt, TensorRtRtx
from profilers.runtimes.torch.runtime import Torch, TorchCuda

BUILTIN: dict[str, type[Profiler]] = {
    p.name: p for p in (OnnxRuntime, OnnxRuntimeCuda, OpenVino, Fake, TensorRt, TensorRtRtx, Torch, TorchCuda)
}
OWN = "its package (hwnas engines lists what is there), or --engine python:module:Class for a class of your own"
RESERVED = ("all", "auto", "onnx")  # what --engine takes beside names of runtimes
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
_places: dict[str, str] = {}


def _check(name: str, value: Any) -> None:
    """BadInput for anything but a runtime whose name is that of its entry point."""
    if not (isinstance(value, type) and issubclass(value, Profiler)):
        raise BadInput(f"engine {name!r} is no runtime: {value!r}", "a subclass of profilers.base.Profiler")
    own = getattr(value, "name", None)
    if not (isinstance(own, str) and _NAME.fullmatch(own)) or own in RESERVED:
        allowed = f"letters, digits, - and _, and none of {', '.join(RESERVED)}"
        raise BadInput(f"engine {name!r} whose class has the name {own!r}", allowed)
    if own != name and not name.startswith(PREFIX):
        raise BadInput(f"engine {name!r} whose class has the name {own!r}", "one name")


PROFILERS: Registry[type[Profiler]] = Registry("hwnas.runtimes", "engine", BUILTIN, _check)


def get_profiler(name: str, folder: Path | None = None) -> Profiler:
    """A new profiler of that name, available here or not (ask its `status`).

    Args:
        name: of a runtime, or `python:module:Class`; from then on this process knows the class by its own name, too.
        folder: what the module is relative to, by default the current one.

    Raises:
        BadInput: an unknown name, or a class that cannot be imported, made or used.

    >>> get_profiler("fake").status().available
    True
    """
    found = PROFILERS.find(name, folder)
    if name.startswith(PREFIX):
        path = (folder or Path()) / name.removeprefix(PREFIX)
        PROFILERS.add(found.name, found)
        _places[found.name] = f"{PREFIX}{path.parent.resolve() / path.name}"
    with foreign(lambda said: BadInput(f"engine {name!r} cannot be made: {said}")):
        return found()


def register(runtime: type[Profiler]) -> str:
    """Make a class known to this process by its name, which is returned.

    Raises:
        BadInput: no runtime, or a name that another one has.
    """
    name = str(getattr(runtime, "name", ""))
    if name not in PROFILERS or PROFILERS[name] is not runtime:
        PROFILERS.add(name, runtime)
        _places[name] = f"{PREFIX}{_folder_of(runtime)}{runtime.__module__}:{runtime.__qualname__}"
    return name


def _folder_of(runtime: type[Profiler]) -> str:
    """The folder that a class's module is imported from, with a final slash; "" where it is not known."""
    file, depth = getattr(sys.modules[runtime.__module__], "__file__", None), runtime.__module__.count(".")
    return f"{Path(file).resolve().parents[depth]}/" if file and Path(file).name != "__init__.py" else ""


def every_profiler() -> list[Profiler]:
    """One of each runtime that can be made; of the others `describe` says why they cannot."""
    found = []
    for name in PROFILERS:
        try:
            found.append(get_profiler(name))
        except BadInput:
            continue
    return found


def stored_profiler(name: str) -> Profiler:
    """The runtime that a file names; BadInput for `python:…`, which would run a module of the sender's choice."""
    if name not in PROFILERS:
        raise BadInput(f"unknown engine {name!r}", ", ".join(PROFILERS), OWN)
    return get_profiler(name)


def place(name: str) -> str:
    """What `get_profiler` takes in another process, for a name that this one knows."""
    return _places.get(name, name)


def describe(name: str) -> dict[str, Any]:
    """What can be done with a runtime here: engine, device, available, version, reason, remedy, precisions.

    One that cannot be imported or made is not available, with the reason; this never raises.
    """
    try:
        return describe_profiler(get_profiler(name))
    except Exception as error:
        status = Status(False, "", getattr(error, "got", str(error)), getattr(error, "remedy", ""))
        return {"engine": name, "device": "", **_facts(status), "precisions": []}


def describe_profiler(profiler: Profiler) -> dict[str, Any]:
    """The same of a runtime at hand."""
    status = profiler.status()
    precisions = profiler.supported_precisions() if status.available else profiler.precisions
    return {"engine": profiler.name, "device": profiler.device, **_facts(status), "precisions": list(precisions)}


def _facts(status: Status) -> dict[str, Any]:
    return {key: getattr(status, key) for key in ("available", "version", "reason", "remedy")}
