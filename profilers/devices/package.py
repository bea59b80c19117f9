"""The agent as one zip application: exactly the modules that it needs, called after their content."""

from __future__ import annotations

import ast
import hashlib
import io
import zipfile
from functools import cache
from pathlib import Path
from typing import NamedTuple

import profilers

ROOT = Path(profilers.__file__).parent
ENTRIES = ("profilers.devices.agent", "profilers.runtimes.onnxruntime", "profilers.runtimes.openvino",
           "profilers.runtimes.fake")  # fmt: skip
ABSENT = ("profilers.progress", "profilers.validation")  # imported for types, or by what the agent does not do
_MAIN = """\
import sys

if sys.version_info < (3, 9):
    sys.exit("hwnas-agent: python " + ".".join(map(str, sys.version_info[:3])))
import os

for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS"):
    os.environ.setdefault(name, "1")
try:
    import numpy
except ImportError:
    print("\\nhwnas-agent: nonumpy " + sys.executable, flush=True)
    sys.exit(1)
from profilers.devices.agent import main

main()
"""


class Package(NamedTuple):
    """The application's bytes, and the name under which a device keeps it."""

    data: bytes
    name: str


@cache
def package() -> Package:
    """The same bytes for the same modules, whenever and wherever it is made."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in sorted(
            {**{_file(m): _path(m).read_bytes() for m in modules()}, "__main__.py": _MAIN.encode()}.items()
        ):
            archive.writestr(zipfile.ZipInfo(name), text, zipfile.ZIP_DEFLATED)
    data = buffer.getvalue()
    return Package(data, f"agent-{hashlib.sha256(data).hexdigest()[:20]}.pyz")


@cache
def modules() -> tuple[str, ...]:
    """The agent's modules and all of this project that they import, with the packages that they lie in."""
    found: set[str] = set()
    waiting = list(ENTRIES)
    while waiting:
        name = waiting.pop()
        if name in found or name in ABSENT:
            continue
        found.add(name)
        waiting += [*_imports(name), *_parents(name)]
    return tuple(sorted(found))


def _imports(name: str) -> list[str]:
    """Modules of this project that one imports, at its top or inside functions."""
    nodes = [
        n for n in ast.walk(ast.parse(_path(name).read_text("utf-8"))) if isinstance(n, ast.ImportFrom) and n.module
    ]
    several = [f"{n.module}.{alias.name}" for n in nodes for alias in n.names] + [str(n.module) for n in nodes]
    return [module for module in several if module.startswith("profilers.") and _path(module).is_file()]


def _parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:i]) for i in range(1, len(parts))]


def _path(name: str) -> Path:
    path = ROOT.joinpath(*name.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _file(name: str) -> str:
    return _path(name).relative_to(ROOT.parent).as_posix()
