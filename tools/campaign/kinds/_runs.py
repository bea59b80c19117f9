"""What kinds of runs start from: a small space searched with an accuracy by formula and a latency table."""

from __future__ import annotations

from pathlib import Path

from tools.campaign.inside import Ended, run

ACCURACY = "def top1(arch):\n    return 50.0 + sum(arch['ks']) / 2 + sum(arch['d'])\n"
CONFIG = """space = "tiny"
accuracy = "python:accuracy.py:top1"
objectives = ["top1", "params", "cpu_ms"]
seed = 3
[tables]
cpu_ms = "cpu.json"
[budget]
cpu_ms = 1000.0
[search]
initial = 8
iterations = 2
per_iteration = 2
surrogate = "rbf"
population = 8
generations = 2
"""


def make(folder: Path) -> Path:
    """A configuration `search.toml` in `folder`, with what it names."""
    (folder / "accuracy.py").write_text(ACCURACY)
    (folder / "search.toml").write_text(CONFIG)
    must(
        "lut", "estimate", "--space", "tiny", "--gpu", "GTX 1080 Ti", "--batch", "1", "--out", str(folder / "cpu.json")
    )
    return folder / "search.toml"


def searched(folder: Path) -> Path:
    """The same, and the run that it makes."""
    config = make(folder)
    must("search", str(config), "--out", str(folder / "run"))
    return folder / "run"


def must(*arguments: str) -> Ended:
    """A command that ends well."""
    ended = run(arguments)
    if ended.code or ended.trace:
        raise RuntimeError(f"hwnas {' '.join(arguments)}: {ended.err}{ended.trace}")
    return ended
