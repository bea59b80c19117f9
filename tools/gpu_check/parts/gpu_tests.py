"""The project's own tests that need a card: `pytest -m gpu`, where pytest is."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

from tools.gpu_check import needs
from tools.gpu_check.check import Check
from tools.gpu_check.findings import Findings, LeftOut

INTERRUPTED, NONE_RAN = 2, 5  # of pytest
SUMMARY_SECONDS = 4  # that pytest has to end
ROOT = Path(__file__).parents[3]
_MARK = re.compile(r"\bmark\.gpu\b")
_PRINTED = re.compile(r"(tensorrt|torch|onnxruntime)[\w-]*( \w+)*: ")
_WORDS = re.compile(r"(\d+) (passed|failed|skipped|errors?|deselected)")


def run(check: Check, found: Findings) -> None:
    """The part."""
    if gone := needs.missing(("pytest", "hypothesis")):
        raise LeftOut(f"{' and '.join(gone)} missing")
    files = [str(path) for path in sorted((ROOT / "tests").rglob("test_*.py")) if _MARK.search(path.read_text("utf-8"))]
    if not files:
        raise LeftOut("this tree has no test marked gpu")
    command = [sys.executable, "-m", "pytest", "-v", "-m", "gpu", "-rfEs", "--tb=short", "-p", "no:cacheprovider"]
    code, lines = _stopped_in_time([*command, *files], check.seconds - SUMMARY_SECONDS)
    for number, word in _WORDS.findall(lines[-1] if lines else ""):
        found.figure(word, int(number))
    said = dict.fromkeys(_without_place(line)[:300] for line in lines if _telling(line))
    found.grid("What they say", ["line"], [[line] for line in said][:60])
    if code == INTERRUPTED:
        found.note("there was no time for all of them")
    elif code not in (0, NONE_RAN):
        raise RuntimeError(f"pytest ended with {code}")


def _stopped_in_time(command: list[str], seconds: float) -> tuple[int, list[str]]:
    """The exit code and the lines that were printed; after `seconds` pytest is asked to end, as by Ctrl-C."""
    lines = []
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pytest:
        timer = threading.Timer(max(seconds, 1), pytest.send_signal, [signal.SIGINT])
        timer.start()
        for line in pytest.stdout or ():
            print(line, end="")
            lines += [line.strip()] if line.strip() else []
        timer.cancel()
    return pytest.returncode, lines


def _telling(line: str) -> bool:
    """Reasons and results, and the lines that the tests print as their report."""
    return line.startswith(("SKIPPED", "FAILED", "ERROR", "GPU ")) or bool(_PRINTED.match(line))


def _without_place(line: str) -> str:
    """Equal reasons are said once."""
    return re.sub(r"^(SKIPPED) \[\d+\] \S+: ", r"\1 ", line)
