"""Devices on which something is strange: their Python does something before it runs the agent."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

_PROGRAM = """\
#!{python}
import runpy, sys
sys.argv.pop(0)
if sys.argv[0] == "-c":
    exec(sys.argv[1])
sys.path.insert(0, sys.argv[0])
{code}
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def strange(folder: Path, code: str) -> str:
    """The path of a Python that runs `code`, then the agent; modules of the agent can be imported there."""
    path = folder / f"python-{len(list(folder.glob('python-*')))}"
    path.write_text(_PROGRAM.format(python=sys.executable, code=code))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def in_front(folder: Path, name: str, script: str) -> str:
    """PATH with a program before all others."""
    path = folder / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return f"{path.parent}:{os.environ['PATH']}"
