"""`tools/gpu-check`: options, whether there is a card at all, then the parts."""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from tools.gpu_check import needs
from tools.gpu_check.check import Check
from tools.gpu_check.findings import read
from tools.gpu_check.report import MARKDOWN, Report
from tools.gpu_check.running import Outcome, Part, run_part, seconds_for

CARD_SECONDS = 60  # for torch to find a card or not
LEAST_SECONDS = 4  # with less, a part is not begun


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0 once the report is written, whatever it says, 2 where nothing could be checked."""
    began, options = time.monotonic(), _options(arguments)
    if gone := needs.missing(needs.NEEDED):
        _end(f"{sys.executable} lacks {', '.join(gone)}; PYTHON=/path/to/python names another")
    stood_in = needs.stand_in()
    with tempfile.TemporaryDirectory(prefix="gpu-check-") as name:
        _keep_in(name)
        import_module("torch")
        check = Check.pretend(Path(name)) if options.pretend else _for_card(Check(Path(name)))
        _make(options.out)
        _import()
        parts = _chosen(options.only)
        report = Report(options.out, _about(check, options.minutes, stood_in), check.pretended, parts)
        try:
            _run(parts, check, report, began + 60 * options.minutes)
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            return 130
    print(f"{'pretended: ' if check.pretended else ''}{options.out / MARKDOWN}")
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="gpu-check", description="Does the GPU half of hwnas hold on this machine?")
    parser.add_argument("--minutes", type=float, default=8, help="in all (default 8)")
    parser.add_argument("--out", type=Path, default=Path(), help="folder of the report (default: this one)")
    parser.add_argument("--pretend", choices=["cpu"], help="the CPU in the card's place, to try the check itself")
    parser.add_argument("--only", default="", help="some parts, as in card,table")
    found = parser.parse_args(arguments)
    if not found.minutes > 0:
        parser.error(f"--minutes {found.minutes:g}; allowed: more than 0")
    return found


def _keep_in(folder: str) -> None:
    """Temporaries and what is compiled go into a folder that is removed in the end."""
    tempfile.tempdir = None
    os.environ |= dict.fromkeys(("TMPDIR", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR"), folder)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        _end(f"cannot write to {folder}: {error.strerror}; --out names another folder")


def _chosen(only: str) -> list[Part]:
    from tools.gpu_check.parts import PARTS

    names = [name for name in only.split(",") if name]
    if unknown := [name for name in names if name not in (part.name for part in PARTS)]:
        _end(f"no part {', '.join(unknown)}; allowed: {', '.join(part.name for part in PARTS)}")
    return [part for part in PARTS if not names or part.name in names]


def _import() -> None:
    """What all parts need, once, before they are forked off; it runs nothing."""
    for name in ("hwnas.api.devices", "hwnas.api.exporting", "lut.build.pipeline", "lut.verify"):
        import_module(name)


def _for_card(check: Check) -> Check:
    """Fitted to the card; ends in one line unless torch can use one, asked in a process that may not survive it."""
    from tools.gpu_check.parts.card import find

    found = run_part(Part("find", "", 1, find), check, CARD_SECONDS)
    if found.status != "done":
        _end(f"{found.reason or found.last_lines}; --pretend cpu tries the check itself on the CPU")
    return check.fitting(found.found["figures"][0]["value"])


def _run(parts: Sequence[Part], check: Check, report: Report, ends: float) -> None:
    report.save()
    for i, part in enumerate(parts):
        left = ends - time.monotonic()
        if left < LEAST_SECONDS:
            report.add(Outcome(part, "left out", 0, read(check.folder / "none"), "no time was left"))
            continue
        report.add(run_part(part, check, seconds_for(part, parts[i + 1 :], left)))
        last = report.outcomes[-1]
        print(f"{part.title}: {last.status} in {last.seconds:.0f} s {last.reason}".rstrip(), flush=True)


def _about(check: Check, minutes: float, stood_in: list[str]) -> dict[str, Any]:
    from hwnas.version import __version__

    here = needs.versions()
    return {
        "hwnas": f"{__version__} {_commit()}".strip(),
        "minutes": minutes,
        "checked": str(check),
        "machine": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: found for name, found in here.items() if found and name not in stood_in},
        "stood in for": stood_in,
        "missing": [name for name, found in here.items() if not found and name not in stood_in],
    }


def _commit() -> str:
    """Of the source tree; "" where git does not say."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _end(line: str) -> NoReturn:
    print(f"gpu-check: {line}", file=sys.stderr)
    raise SystemExit(2)


if __name__ == "__main__":
    sys.exit(main())
