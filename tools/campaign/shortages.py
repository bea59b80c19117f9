"""Shortages: a full disk, too little memory, too few files, a clock that jumps, a file system without locks.

    python -m tools.campaign.shortages --count 60 --seed 1

Each case runs a long command short of something, then once more without. It fails where the first ends neither with its
result nor with one line and exit code 2, and where what is made in the end differs from what an undisturbed run makes.
A disk of a few kilobytes is a mounted tmpfs, which wants root; elsewhere it is a limit on the size of files.
"""

from __future__ import annotations

import argparse
import errno
import fcntl
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import threadpoolctl

from tools.campaign.kills import Tally, Whole, differences, left_alone, left_behind, slug, warm
from tools.campaign.long_commands import COMMANDS, prepared
from tools.campaign.mortal import Ended, run

QUICK = ("search", "lut build", "train supernet", "train finetune", "export")
KIB, MIB = 1 << 10, 1 << 20
Shortage = Callable[[np.random.Generator, Whole], tuple[str, Callable[[], object]]]


def small_files(rng: np.random.Generator, whole: Whole) -> tuple[str, Callable[[], object]]:
    """No file may be larger than so many bytes, as on a full disk."""
    size = int(rng.integers(1, 40 * KIB))
    return f"files of {size} bytes", partial(resource.setrlimit, resource.RLIMIT_FSIZE, (size, size))


def little_memory(rng: np.random.Generator, whole: Whole) -> tuple[str, Callable[[], object]]:
    """So many MiB more than the imports take."""
    more = int(rng.integers(1, 80))
    return f"{more} MiB more", partial(_limit_memory, more * MIB)


def few_files(rng: np.random.Generator, whole: Whole) -> tuple[str, Callable[[], object]]:
    """So many more files than are open."""
    more = int(rng.integers(0, 12))
    return f"{more} files more", partial(_limit_files, more)


def jumping_clock(rng: np.random.Generator, whole: Whole) -> tuple[str, Callable[[], object]]:
    """The date jumps back and forth by years; what is monotonic goes on."""
    return "a clock that jumps", partial(_jump, rng)


def no_locks(rng: np.random.Generator, whole: Whole) -> tuple[str, Callable[[], object]]:
    """As many network file systems."""
    return "no locks", _refuse_locks


SHORTAGES: dict[str, Shortage] = {
    "files' size": small_files, "memory": little_memory, "file handles": few_files, "clock": jumping_clock,
    "no locks": no_locks,
}  # fmt: skip
DISK = "disk"  # beside these, where one can be mounted


def _limit_memory(more: int) -> None:
    threadpoolctl.threadpool_limits(1)  # or OpenBLAS would wait for threads that a fork has not and it cannot start
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    size = pages * resource.getpagesize() + more
    resource.setrlimit(resource.RLIMIT_AS, (size, size))


def _limit_files(more: int) -> None:
    highest = max(int(name) for name in os.listdir("/proc/self/fd"))  # noqa: PTH208
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1 + more, highest + 1 + more))


def _jump(rng: np.random.Generator) -> None:
    now = time.time
    time.time = lambda: now() + float(rng.uniform(-1e8, 1e8))


def _refuse_locks() -> None:
    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    fcntl.flock = flock


@contextmanager
def disk(place: Path, size: int) -> Iterator[bool]:
    """A file system of that many bytes in a folder; whether there is one."""
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
    if mounted := subprocess.run(command, capture_output=True).returncode == 0:
        try:
            yield mounted
        finally:
            subprocess.run(["umount", str(place)], check=True)
    else:
        yield mounted
    place.rmdir()


def short_of(kind: str, name: str, whole: Whole, rng: np.random.Generator, place: Path) -> tuple[str, list[str]]:
    """One case: what was short, and what is wrong."""
    folder, logs = prepared(name, place / "work", place / "kept"), place / "logs"
    if kind == DISK:
        what, ended = _on_a_small_disk(name, folder, logs, rng)
    else:
        what, before = SHORTAGES[kind](rng, whole)
        ended = run(COMMANDS[name].arguments, folder, logs, before=before)
    wrong = list(faults(ended))
    ended = run(COMMANDS[name].arguments, folder, logs)
    if ended.code:
        wrong.append(f"going on: exit code {ended.code}: {ended.err.strip()[-300:]}")
    else:
        wrong += [f"going on: {line}" for line in differences(whole.made, COMMANDS[name].made(folder))]
        wrong += [f"left {left}" for left in left_behind(folder, logs)]
    shutil.rmtree(folder)
    return what, wrong


def _on_a_small_disk(name: str, folder: Path, logs: Path, rng: np.random.Generator) -> tuple[str, Ended]:
    """The command on a disk with little left, whose files are then moved to where there is room."""
    there = sum(path.stat().st_size // 4096 + 1 for path in folder.rglob("*")) * 4096
    more = int(rng.integers(1, 60)) * 4096
    aside = folder.rename(folder.with_name("aside"))
    with disk(folder, there + more) as mounted:  # at the folder's own place, which the facts of networks name
        if not mounted:
            raise SystemExit("cannot mount a tmpfs: leave out the kind disk")
        shutil.copytree(aside, folder, dirs_exist_ok=True)
        ended = run(COMMANDS[name].arguments, folder, logs)
        shutil.rmtree(aside)
        shutil.copytree(folder, aside)
    aside.rename(folder)
    return f"{more // KIB} KiB left", ended


def faults(ended: Ended) -> Iterator[str]:
    """What is wrong with how it ended."""
    if ended.survivors:
        yield f"still runs: {'; '.join(ended.survivors)}"
    if ended.code == 0:
        return
    last = ended.err.strip().rpartition("\n")[2]
    if "Traceback" in ended.err or ended.code not in (1, 2):
        yield f"exit code {ended.code}: {ended.err.strip()[-300:]}"
    elif ended.code == 2 and not last.startswith("hwnas: "):  # 1: some networks failed, each with its line
        yield f"last line {last[-300:]}"


def campaign(count: int, seed: int, names: Sequence[str], kinds: Sequence[str], place: Path) -> dict[str, Tally]:
    """So many cases, shared out among the commands and kinds."""
    found = {kind: Tally() for kind in kinds}
    each = max(1, round(count / len(names) / len(kinds)))
    for name in names:
        left_alone(name, place / slug(name))
        whole = left_alone(name, place / slug(name))
        for kind in kinds:
            for number in range(each):
                rng = np.random.default_rng([seed, zlib.crc32(f"{name} {kind}".encode()), number])
                what, wrong = short_of(kind, name, whole, rng, place / slug(name))
                found[kind].note([f"{name}, {what}: {line}" for line in wrong])
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a campaign, print its table; exit code 1 where a case failed."""
    kinds = [*SHORTAGES, DISK]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--commands", nargs="+", choices=list(COMMANDS), default=list(QUICK), metavar="NAME")
    parser.add_argument("--kinds", nargs="+", choices=kinds, default=kinds, metavar="KIND")
    asked = parser.parse_args(arguments)
    warm()
    place = Path(tempfile.mkdtemp(prefix="shortages-"))  # no TemporaryDirectory, which the forks would remove
    found = campaign(asked.count, asked.seed, asked.commands, asked.kinds, place)
    shutil.rmtree(place)
    print("| short of | cases | one line, then equal | faults |\n|---|---|---|---|")
    for kind, tally in found.items():
        print(f"| {kind} | {tally.cycles} | {tally.equal} | {len(tally.faults)} |")
    sys.exit(int(any(tally.faults for tally in found.values())))


if __name__ == "__main__":
    main()
