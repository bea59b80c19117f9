"""Kills at random moments: every long command goes on to what it makes without them, and leaves nothing behind.

    python -m tools.campaign.kills --count 200 --seed 1
    python -m tools.campaign.kills --count 20 --commands "search" "lut build"

A cycle kills a command once, twice or three times, by SIGKILL, SIGTERM or SIGINT, then runs it to its end. Its moments
derive from (seed, command, cycle). It fails where

- what was made differs from what an undisturbed run makes,
- after SIGTERM or SIGINT the exit code is not 143 or 130, stderr has a traceback or no last line of what is kept, or a
  hidden file, a lock, a temporary file or a process is left,
- after SIGKILL a process is left, or any of those files after the next run,
- the command cannot go on.

Failed cycles stay in the folder that is printed.
"""

from __future__ import annotations

import argparse
import importlib
import shutil
import signal
import sys
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tools.campaign.long_commands import COMMANDS, Made, prepared
from tools.campaign.mortal import HUNG, Ended, Moment, run

FEW = 5  # cycles of a command that are not worth a second look at whether it always makes the same
SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)  # half of them of the hard kind
LEFT = ("-wal", "-shm", "-journal", ".lock", ".hwnas", ".tmp")
THEIRS = (
    "ray",
    "torchinductor_root",
    ".ses",
)  # what Ray, torch and ONNX Runtime keep in the folder for temporary files
LINE = {signal.SIGTERM: "hwnas: terminated", signal.SIGINT: "hwnas: interrupted"}
OURS = (
    "hwnas",
    "lut",
    "profilers",
    "torch",
    "onnx",
    "onnxruntime",
    "numpy",
    "scipy",
    "sklearn",
    "PIL",
    "rich",
    "pydantic",
)


@dataclass
class Whole:
    """A command that was left alone: what it made, and how long it took."""

    made: Made
    seconds: float
    events: int


@dataclass
class Tally:
    """What became of the cycles of one command."""

    cycles: int = 0
    signals: Counter[str] = field(default_factory=Counter)
    early: int = 0
    equal: int = 0
    faults: list[str] = field(default_factory=list)

    def note(self, found: Sequence[str]) -> None:
        """The faults of a cycle, which are printed."""
        self.faults += [f"cycle {self.cycles:03}: {fault}" for fault in found]
        for fault in found:
            print(f"cycle {self.cycles:03}: {fault}", flush=True)
        self.cycles, self.equal = self.cycles + 1, self.equal + (not found)

    def row(self, name: str) -> str:
        """Of the table at the end."""
        sent = ", ".join(f"{self.signals[n.name]} {n.name}" for n in dict.fromkeys(SIGNALS))
        return f"| {name} | {self.cycles} | {sent} | {self.early} | {self.equal} | {len(self.faults)} |"


def campaign(count: int, seed: int, names: Sequence[str], place: Path, kills: int = 0) -> dict[str, Tally]:
    """So many cycles, shared out among the commands, each of so many kills, or one to three; files go to `place`."""
    found = {}
    for name in names:
        share = COMMANDS[name].share / sum(COMMANDS[n].share for n in names)
        whole, cycles = left_alone(name, place / slug(name)), max(1, round(count * share))
        if cycles > FEW:
            first, whole = whole, left_alone(name, place / slug(name))
            if first.made != whole.made:
                raise SystemExit(f"{name} makes another thing each time: {differences(first.made, whole.made)}")
        found[name] = tally = Tally()
        for number in range(cycles):
            rng = np.random.default_rng([seed, zlib.crc32(name.encode()), number])
            one_cycle(name, whole, rng, place / slug(name), tally, kills)
        print(tally.row(name), flush=True)
    return found


def left_alone(name: str, place: Path) -> Whole:
    """Run a command undisturbed; what it has imported this process then imports, too, for the forks that follow."""
    folder, logs = prepared(name, place / "work", place / "kept"), place / "logs"
    stop = Moment(signal.SIGINT, 10.0) if COMMANDS[name].endless else None
    ended = run(COMMANDS[name].arguments, folder, logs, stop)
    if ended.code != (130 if stop else 0) or ended.survivors:
        raise SystemExit(f"{name} fails by itself: {ended}")
    for module in (logs / "modules").read_text().split():
        if module.partition(".")[0] in OURS:
            with suppress(Exception):
                importlib.import_module(module)
    made = COMMANDS[name].made(folder)
    shutil.rmtree(folder)
    return Whole(made, ended.seconds, ended.events)


def one_cycle(name: str, whole: Whole, rng: np.random.Generator, place: Path, tally: Tally, kills: int) -> None:
    """Kill a command, run it to its end, and judge; where all is well, the folder is removed."""
    folder, logs, found = prepared(name, place / "work", place / "kept"), place / "logs", []
    for moment in moments(whole, rng, kills or int(rng.choice([1, 1, 1, 2, 3]))):
        there = left_behind(folder, logs) if logs.exists() else []  # by SIGKILL, if the next start does not come far
        ended = run(COMMANDS[name].arguments, folder, logs, moment)
        tally.signals[moment.number.name] += 1
        tally.early += ended.code == 0
        found += [f"{moment}: {fault}" for fault in faults_of_kill(ended, moment, new_left(folder, logs, there))]
    found += [f"going on: {fault}" for fault in faults_of_end(name, whole, folder, logs)]
    if found:
        folder.rename(place / f"failed-{tally.cycles:03}")
        logs.rename(place / f"failed-{tally.cycles:03}-logs")
    else:
        shutil.rmtree(folder)
    tally.note(found)


def moments(whole: Whole, rng: np.random.Generator, kills: int) -> Iterator[Moment]:
    """The kills of a cycle; two of three at something that is done to files, where harm is likely."""
    for _ in range(kills):
        number = SIGNALS[rng.integers(len(SIGNALS))]
        late = float(rng.choice([0.0, rng.uniform(0, 0.004)]))
        if whole.events and rng.random() < 2 / 3:
            yield Moment(number, event=int(rng.integers(1, whole.events + 1)), late=late)
        else:
            yield Moment(number, float(rng.uniform(0, whole.seconds)))


def faults_of_kill(ended: Ended, moment: Moment, left: Sequence[str]) -> Iterator[str]:
    """What is wrong right after a signal."""
    if ended.survivors:
        yield f"still runs: {'; '.join(ended.survivors)}"
    if ended.code == HUNG:
        yield "did not end"
    if moment.number == signal.SIGKILL or ended.code == 0 or (ended.code == -moment.number and ended.out):
        return  # it had done all, and printed it
    if ended.code != 128 + moment.number:
        yield f"exit code {ended.code}"
    lines = ended.err.splitlines()
    if "Traceback" in ended.err or "Exception ignored" in ended.err:
        yield f"traceback: {lines[-1][:200]}"
    elif not lines or not lines[-1].startswith(LINE[moment.number]):
        yield f"last line {lines[-1:]}"
    yield from (f"left {name}" for name in left)


def faults_of_end(name: str, whole: Whole, folder: Path, logs: Path) -> Iterator[str]:
    """What is wrong after going on to the end."""
    stop = Moment(signal.SIGINT, 1.5 * whole.seconds) if COMMANDS[name].endless else None
    ended = run(COMMANDS[name].arguments, folder, logs, stop)
    if ended.survivors:
        yield f"still runs: {'; '.join(ended.survivors)}"
    if ended.code != (130 if stop else 0):
        yield f"exit code {ended.code}: {ended.err.strip()[-300:]}"
        return
    yield from (f"left {name}" for name in left_behind(folder, logs))
    yield from differences(whole.made, COMMANDS[name].made(folder))


def differences(expected: Made, made: Made) -> list[str]:
    """What is missing, more or otherwise."""
    wrong = [f"{key} is missing" for key in expected.keys() - made.keys()]
    wrong += [f"{key} is new" for key in made.keys() - expected.keys()]
    return wrong + [f"{key} differs" for key in made.keys() & expected.keys() if made[key] != expected[key]]


def left_behind(folder: Path, logs: Path) -> list[str]:
    """Hidden files, temporaries, locks, journals, and folders that are empty."""
    found = [p for p in folder.rglob("*") if p.name.startswith(".") or p.name.endswith(LEFT)]
    found += [p for p in folder.rglob("*") if p.is_dir() and not any(p.iterdir())]
    temporary = [p for p in (logs / "tmp").iterdir() if p.name not in THEIRS]
    return [str(p.relative_to(folder)) for p in found if "__pycache__" not in p.parts] + [p.name for p in temporary]


def new_left(folder: Path, logs: Path, there: Sequence[str]) -> list[str]:
    """What is left that was not there."""
    return [name for name in left_behind(folder, logs) if name not in there]


def slug(name: str) -> str:
    """As part of a file's name."""
    return name.replace(", ", "-").replace(" ", "-").lower()


def warm() -> None:
    """Import what the commands import first of all."""
    importlib.import_module("torch")
    importlib.import_module("hwnas.cli").build()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a campaign, print its table; exit code 1 where a cycle failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, default=0, help="of each cycle; by default one, two or three")
    parser.add_argument("--commands", nargs="+", choices=list(COMMANDS), default=list(COMMANDS), metavar="NAME")
    parser.add_argument("--out", type=Path, help="an empty folder; by default a temporary one")
    asked = parser.parse_args(arguments)
    place = (asked.out or Path(tempfile.mkdtemp(prefix="kills-"))).absolute()
    place.mkdir(parents=True, exist_ok=True)
    warm()
    print("| command | cycles | signals | ended before | gone on equal, nothing left | faults |")
    print("|---|---|---|---|---|---|")
    found = campaign(asked.count, asked.seed, asked.commands, place, asked.kills)
    if any(tally.faults for tally in found.values()):
        print(f"failed cycles are in {place}")
        sys.exit(1)
    shutil.rmtree(place)


if __name__ == "__main__":
    main()
