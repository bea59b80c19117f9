"""A device over ssh against the same machine without: tables built by turns, and links that are cut.

    python -m tools.bench.devices [--space mbv3] [--resolutions 160,192,224] [--engine onnxruntime] [--threads 1]
                                  [--budget-seconds 180] [--archs 36] [--cuts 0] [--out bench/devices.json]

The device is this machine, by an sshd of the bench's own on 127.0.0.1 (openssh-server). Two processes build a table
each, one over ssh and one here; a step of the one is followed by a step of the other, so that neither has the quieter
minutes, and so are the groups of networks by which both are verified. Prints MAPE of both, of the one against the
other, and the time of both builds, in which waiting for the turn is not counted.

With --cuts N only: N cuts of the link at random moments during builds, then one in each of N validations; each must end
with the steps, and the agreement, of one without, and leave nothing on the device.

On two idle cores about twice (--budget-seconds + 40 s) for the tables, and 5 s for each network of --archs: some 11
minutes; with --cuts some 40 s a cut.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hwnas
from hwnas.api.network import genes_of
from lut.build import bench as benches
from lut.build import pipeline
from lut.verify import require_fingerprint
from profilers.devices import elsewhere
from profilers.devices.hosts import close_all
from profilers.errors import MeasurementFailed
from profilers.files import write_json
from tests.profilers.devices.conftest import left_behind
from tests.profilers.devices.sshd import Server, server
from tools.bench.shared import run

HERE, SSH = "here", "ssh"
TURN, OVER, END = "turn", "over", "end"  # said to a side; said by it
COMPARED = 500  # networks whose predictions are compared
CUT_SECONDS = (7.0, 16.0)  # between two cuts during builds
COLUMNS = ("mape", "bias", "within_5", "kendall_tau", "noise_floor_mape", "coverage")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", default="mbv3")
    parser.add_argument("--resolutions", default="160,192,224", help="FIRST:LAST:STEP or a list")
    parser.add_argument("--engine", default="onnxruntime")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--budget-seconds", type=float, default=180.0, help="of each table")
    parser.add_argument("--archs", type=int, default=36, help="networks to verify on")
    parser.add_argument("--cuts", type=int, default=0, help="cut links, and build no tables")
    parser.add_argument("--out", type=Path, default=Path("bench/devices.json"))
    parser.add_argument("--side", default="", help=argparse.SUPPRESS)  # one of the two processes: its host, or "here"
    args = parser.parse_args()
    if args.side:
        side(args)
        return
    with device() as (sshd, root):
        found = cuts(sshd, root, args.cuts) if args.cuts else tables(sshd, root, args)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    write_json(args.out, found)


@contextmanager
def device() -> Iterator[tuple[Server, Path]]:
    """An sshd, and the folder that stands for the device's disk."""
    with tempfile.TemporaryDirectory(prefix="hwnas-devices-") as name:
        root = Path(name) / "device"
        (root / "tmp").mkdir(parents=True)
        try:
            with server(Path(name) / "sshd", root) as sshd:
                os.environ["HWNAS_SSH"] = sshd.ssh
                yield sshd, root
                close_all()
        except pytest.skip.Exception as reason:
            raise MeasurementFailed(str(reason), remedy="apt-get install openssh-server") from None


# Tables by turns


def tables(sshd: Server, root: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Figures of both, and of the one against the other."""
    hosts, files = {HERE: HERE, SSH: sshd.host()}, {name: root.parent / f"{name}.json" for name in (HERE, SSH)}
    sides = {name: Side(args, hosts[name], files[name]) for name in hosts}
    for one in sides.values():
        one.heard()  # it has started, and imported what both need
    build, verify = (by_turns(sides) for _ in range(2))
    for one in sides.values():
        one.process.wait()
    held = {name: hwnas.LatencyTable(file) for name, file in files.items()}
    space = held[HERE].space
    genes = genes_of(hwnas.Networks.sample(space, n=COMPARED), space)
    a, b = (np.asarray(held[name].data.bind(space).predict(genes).ms) for name in (HERE, SSH))
    found = {
        "space": space.name, "resolutions": list(space.resolutions), "engine": args.engine, "threads": args.threads,
        "verify": {name: table.data.verify for name, table in held.items()},
        "build_seconds": build, "verify_seconds": verify, "build_ratio": build[SSH] / build[HERE],
        "against_each_other": {"mape": float(np.mean(np.abs(b / a - 1))), "bias": float(np.mean(b / a - 1))},
        "fingerprint": require_fingerprint(held[SSH].data).to_json(),
        "steps": {name: table.data.provenance.get("batches") for name, table in held.items()},
    }  # fmt: skip
    print("\n".join(lines(found)), flush=True)
    return found


class Side:
    """A process that builds and verifies one of the tables, a step whenever it is its turn."""

    def __init__(self, args: argparse.Namespace, host: str, out: Path) -> None:
        keep = ("space", "resolutions", "engine", "threads", "budget_seconds", "archs")
        options = [f"--{name.replace('_', '-')}={getattr(args, name)}" for name in keep]
        command = [sys.executable, "-m", "tools.bench.devices", *options, f"--side={host}", f"--out={out}"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.seconds = 0.0

    def turn(self) -> str:
        """Let it go on until it says something; MeasurementFailed where it ends otherwise."""
        assert self.process.stdin is not None
        started = time.monotonic()
        print(TURN, file=self.process.stdin, flush=True)
        said = self.heard()
        self.seconds += time.monotonic() - started
        return said

    def heard(self) -> str:
        """What it says next."""
        assert self.process.stdout is not None
        said = self.process.stdout.readline().strip()
        if said not in (OVER, END):
            raise MeasurementFailed(f"one side has ended with {self.process.wait()}: its last lines say why")
        return said


def by_turns(sides: Mapping[str, Side]) -> dict[str, float]:
    """Both to the end of what they do, the first alternating; the seconds of each."""
    for one in sides.values():
        one.seconds = 0.0
    left = list(sides)
    while left:
        left = [name for name in reversed(left) if sides[name].turn() != END]
        print(", ".join(f"{name} {one.seconds:.0f} s" for name, one in sides.items()), file=sys.stderr, flush=True)
    return {name: one.seconds for name, one in sides.items()}


def side(args: argparse.Namespace) -> None:
    """One of the two processes: a build, whose steps are turns, and a verification, whose groups are."""
    host = "" if args.side == HERE else args.side
    hwnas.Networks.sample(args.space, n=1)[0].onnx()
    print(OVER, flush=True)
    sys.stdin.readline()
    pipeline.measure_step = _in_turns(pipeline.measure_step)
    table = hwnas.Device(args.engine, args.threads, host=host).build_table(
        args.space, args.out, resolutions=args.resolutions, budget_seconds=args.budget_seconds
    )
    print(END, flush=True)
    sys.stdin.readline()
    setattr(benches.Bench, "networks", _in_turns(benches.Bench.networks))  # noqa: B010  mypy takes no method for one
    table.verify(args.archs)
    print(END, flush=True)


def _in_turns(step: Callable[..., Any]) -> Callable[..., Any]:
    """The same, and then the other's turn."""

    def stepping(*arguments: Any, **more: Any) -> Any:
        found = step(*arguments, **more)
        print(OVER, flush=True)
        sys.stdin.readline()
        return found

    return stepping


def lines(found: Mapping[str, Any]) -> Iterator[str]:
    """The figures as Markdown."""
    pixels = ", ".join(map(str, found["resolutions"]))
    yield f"\n{found['space']} at {pixels} px, {found['engine']}, {found['threads']} thread(s)"
    yield f"| table | {' | '.join(COLUMNS)} | build, s |"
    yield f"|---|{'---|' * (len(COLUMNS) + 1)}"
    for name in (HERE, SSH):
        figures = found["verify"][name]
        cells = " | ".join("-" if figures.get(c) is None else f"{figures[c]:.4f}" for c in COLUMNS)
        yield f"| {name} | {cells} | {found['build_seconds'][name]:.0f} |"
    other = found["against_each_other"]
    yield f"ssh against here, {COMPARED} networks: MAPE {other['mape']:.2%}, bias {other['bias']:+.2%}"
    yield f"the build over ssh takes {found['build_ratio']:.2f} times as long"


# Cuts


def cuts(sshd: Server, root: Path, number: int) -> dict[str, Any]:
    """What came of each build and validation."""
    elsewhere.DELAYS = (0.0, 0.2, 0.5, 1.0, 2.0, 4.0, 4.0, 4.0)
    rng = random.Random(1)
    return {"builds": cut_builds(sshd, root, number, rng), "validations": cut_validations(sshd, root, number, rng)}


def cut_builds(sshd: Server, root: Path, number: int, rng: random.Random) -> list[dict[str, Any]]:
    """Builds until the link was cut so often; each has the steps of the first, which nobody disturbs."""
    steps: list[str] = []
    original = pipeline.measure_step
    pipeline.measure_step = _noting(original, steps)
    rows: list[dict[str, Any]] = [_built(sshd, root, steps, 0)]
    wanted, done, over = rows[0]["steps"], [0], threading.Event()

    def cutting() -> None:
        while done[0] < number and not over.wait(rng.uniform(*CUT_SECONDS)):
            done[0] += bool(sshd.cut())

    thread = threading.Thread(target=cutting)
    thread.start()
    try:
        while done[0] < number:
            before = done[0]
            rows.append({**_built(sshd, root, steps, len(rows)), "cuts": done[0] - before})
            print(json.dumps(rows[-1]), flush=True)
            if rows[-1]["steps"] != wanted:
                raise MeasurementFailed(f"a build with cuts has the steps {rows[-1]['steps']}", ", ".join(wanted))
    finally:
        over.set()
        thread.join()
        pipeline.measure_step = original
    return [*rows, _nothing_left(root)]


def _noting(step: Callable[..., Any], names: list[str]) -> Callable[..., Any]:
    def noting(*arguments: Any) -> Any:
        names.append(arguments[3].name)
        return step(*arguments)

    return noting


def _built(sshd: Server, root: Path, steps: list[str], number: int) -> dict[str, Any]:
    steps.clear()
    started = time.monotonic()
    out = root.parent / f"table-{number}.json"
    hwnas.Device("fake", host=sshd.host()).build_table("tiny", out, resolutions=[12, 16], budget_seconds=1)
    return {"build": number, "cuts": 0, "steps": list(steps), "seconds": round(time.monotonic() - started, 1)}


def cut_validations(sshd: Server, root: Path, number: int, rng: random.Random) -> list[dict[str, Any]]:
    """Until so many links were cut, each at a random moment of a validation; the first nobody disturbs."""
    network = hwnas.Networks.sample("tiny", n=1)[0]
    engine = network.export("onnxruntime", out=root.parent / "engine", random_weights=True, quick=True)
    started = time.monotonic()
    engine.validate(host=sshd.host(), quick=True)
    usual = time.monotonic() - started
    rows: list[dict[str, Any]] = []
    while sum(row["links"] for row in rows) < number:
        links: list[int] = []
        delay = rng.uniform(0, usual)
        timer = threading.Timer(delay, lambda links=links: links.append(sshd.cut()))
        timer.start()
        found = engine.validate(host=sshd.host(), quick=True)
        timer.cancel()
        rows.append({"validation": len(rows) + 1, "cut_after": round(delay, 1), "links": sum(links),
                     "top1_agreement": found["top1_agreement"], "differences": found["differences"]})  # fmt: skip
        print(json.dumps(rows[-1]), flush=True)
        if found["top1_agreement"] != 1 or found["differences"]:
            raise MeasurementFailed("a validation with a cut finds another engine")
    return [*rows, _nothing_left(root)]


def _nothing_left(root: Path) -> dict[str, Any]:
    """MeasurementFailed where a process, a lock or a file is left on the device but its cache."""
    close_all()
    if left := left_behind(root):
        raise MeasurementFailed(f"left on the device: {', '.join(left)}")
    return {"left_behind": []}


if __name__ == "__main__":
    run(main)
