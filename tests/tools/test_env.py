"""tools/env.sh says what it is about to download, and how to have less of it where there is no GPU."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ENV = Path(__file__).resolve().parents[2] / "tools/env.sh"
PYTHON = """#!/bin/sh
case "$*" in
*find_spec*) exit {torch} ;;
*) echo "ran $*" ;;
esac
"""


@pytest.mark.parametrize("torch", [0, 1])
def test_it_says_what_it_downloads(tmp_path, torch):
    """Python is a stub, with torch (0) or without."""
    (tmp_path / "tools").mkdir()
    shutil.copy(ENV, tmp_path / "tools")
    (tmp_path / "pyproject.toml").write_text("")
    python = tmp_path / "stub/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(PYTHON.format(torch=torch))
    python.chmod(0o755)
    path = ":".join(p for p in os.get_exec_path() if not (Path(p) / "nvidia-smi").exists())
    script = "extras=test; . tools/env.sh; echo again; . tools/env.sh"
    done = subprocess.run(
        ["sh", "-c", script], cwd=tmp_path, env={"PATH": path, "HWNAS_VENV": "stub"}, capture_output=True, text=True
    )
    installed = "ran -m pip install --quiet --disable-pip-version-check -e .[test]"
    assert done.stdout.splitlines() == [installed, "again"]  # the second time there is nothing to do
    assert done.stderr.startswith("+ pip install -e .[test]\n  ")
    assert ("3.7 GB" in done.stderr, "torch is there" in done.stderr) == (torch == 1, torch == 0)
    if not Path("/dev/nvidiactl").exists():
        assert ("stub/bin/python -m pip install torch torchvision --index-url" in done.stderr) is (torch == 1)
