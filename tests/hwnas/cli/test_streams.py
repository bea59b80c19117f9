"""Standard streams that are closed, full or without a reader: no traceback, and the command's own exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def run(line: str, **options: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = f"exec {sys.executable} -m hwnas {line}"
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.run(["sh", "-c", command], text=True, env=environment, timeout=120, check=False, **options)  # type: ignore[call-overload, no-any-return]


def test_a_closed_stdout_drops_what_is_written() -> None:
    found = run("--version >&-")
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")


def test_a_file_is_not_written_into_a_closed_streams_place(tmp_path: Path) -> None:
    found = run(f"lut estimate --space tiny --out {tmp_path}/t.json <&- >&- 2>&-")
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")
    assert run(f"lut show {tmp_path}/t.json --json").returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_is_said_in_one_line() -> None:
    found = run("--version > /dev/full")
    assert found.returncode == 2 and found.stderr.count("\n") == 1 and "No space left" in found.stderr


def test_a_reader_that_has_gone_ends_a_command_quietly() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    found = run("--version", stdout=writing)
    os.close(writing)
    assert (found.returncode, found.stderr) == (0, "")


def test_what_the_shell_was_given_is_shown_without_escapes() -> None:
    found = run("'--\x1b[31m'")
    assert found.returncode == 2 and "\x1b" not in found.stderr and r"--\x1b[31m" in found.stderr
