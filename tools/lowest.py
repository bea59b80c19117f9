"""pip constraints: the lowest version that pyproject.toml allows of each direct dependency, base and extras.

    lowest.py test,openvino > constraints.txt

torch and torchvision are left at the pair that is installed in .venv (their old wheels bring gigabytes of CUDA), unless
HWNAS_OLDEST_TORCH is 1. Tools that judge the code and do not run it stay free, too.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
TORCH, JUDGES = ("torch", "torchvision"), ("ruff", "mypy")
REQUIREMENT = re.compile(r"([A-Za-z0-9_.-]+)>=([0-9][0-9.]*)")
VERSION = "import importlib.metadata, sys; print(importlib.metadata.version(sys.argv[1]))"


def installed(name: str) -> str:
    """The version in the usual environment, "" if it is not there."""
    python = ROOT / ".venv/bin/python"
    if not python.exists():
        return ""
    done = subprocess.run([python, "-c", VERSION, name], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def constraints(extras: list[str]) -> list[str]:
    """Lines of the file."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(x for e in extras for x in project["optional-dependencies"][e])]
    found = dict(match.groups() for text in wanted if (match := REQUIREMENT.fullmatch(text)))
    if len(found) < len({re.split("[<>=]", text)[0] for text in wanted}):
        sys.exit(f"a dependency without a lower bound: {', '.join(t for t in wanted if not REQUIREMENT.fullmatch(t))}")
    if os.environ.get("HWNAS_OLDEST_TORCH") != "1":
        found |= {name: installed(name) for name in TORCH}
    return [f"{name}=={version}" for name, version in found.items() if version and name not in JUDGES]


if __name__ == "__main__":
    print("\n".join(constraints(sys.argv[1].split(","))))
