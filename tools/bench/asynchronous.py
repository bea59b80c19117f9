"""Batches beside asynchronous proposals where evaluations take from 1 to 5 times as long: hypervolume and throughput.

python -m tools.bench.asynchronous [--workers 8] [--evaluations 340] [--seconds 2] [--seeds 3]
python -m tools.bench.asynchronous --workers 200 --evaluations 2000 --seconds 8 --strategies random msunas

Workers are simulated: a network's evaluation takes from `seconds` to five times that, by its id, on a clock that goes
on by the CPU seconds that the search itself takes. So 200 workers need one core, and other work on the machine does
not count. Batches are as large as there are workers. A line of JSON for each run:

ideal            evaluations a second if no worker ever waited
throughput       evaluations a second from the first to the last, as a share of the ideal
own_s            CPU seconds of the search itself, a proposed network
hv_at            hypervolume after a quarter, half and all of the evaluations of a batch run's order of arrival
hv_after_s       hypervolume after as many seconds as the ideal needs for a quarter, half and all of them
"""

from __future__ import annotations

import argparse
import heapq
import io
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any, Self

import numpy as np

from hwnas.search.archive import Evaluation, history
from hwnas.search.config import Config, SearchSettings
from hwnas.search.driver import search
from hwnas.search.executors import Executor, ExecutorSettings, Outcome
from hwnas.search.run import Run, create_run
from hwnas.space import Architecture
from tools.bench.large import accuracy

SPREAD = 5.0  # the longest evaluation over the shortest
PARTS = (0.25, 0.5, 1.0)
INITIAL = 100


class Simulated(Executor):
    """`workers` that take from `seconds` to five times as long, by a clock of their own.

    The clock goes on by the CPU seconds that the search itself takes, and jumps to the next answer when it waits.
    `arrived` are the seconds at which each network's answer came, by id.
    """

    def __init__(self, workers: int, seconds: float) -> None:
        self.workers, self.seconds, self.clock = workers, seconds, 0.0
        self.arrived: dict[str, float] = {}

    @classmethod
    def start(cls, source: str, settings: ExecutorSettings) -> Self:
        """Made by the bench only."""
        raise NotImplementedError

    @property
    def slots(self) -> int:
        return self.workers

    def takes(self, arch: Architecture) -> float:
        """Seconds that a network's evaluation takes, log-uniform."""
        return float(self.seconds * SPREAD ** (int(arch.id, 16) / 16**10))

    def evaluate(self, archs: Sequence[Architecture]) -> Iterator[Outcome]:
        rest = iter(archs)
        yield from self.stream(lambda n: [arch for _, arch in zip(range(n), rest, strict=False)])

    def stream(self, ask: Callable[[int], Sequence[Architecture]]) -> Iterator[Outcome]:
        ends: list[tuple[float, int, Architecture]] = []
        given, mark = 0, time.process_time()
        while True:
            archs = ask(self.workers - len(ends)) if len(ends) < self.workers else ()
            mark = self._own(mark)
            for arch in archs:
                heapq.heappush(ends, (self.clock + self.takes(arch), given, arch))
                given += 1
            if not ends:
                return
            self.clock = max(self.clock, ends[0][0])
            while ends and ends[0][0] <= self.clock:
                end, index, arch = heapq.heappop(ends)
                self.arrived[arch.id] = end
                yield Outcome(index, accuracy(arch), None, self.takes(arch))
            mark = self._own(mark)

    def _own(self, mark: float) -> float:
        """The clock goes on by the search's own time since `mark`."""
        now = time.process_time()
        self.clock += now - mark
        return now


def measure(asynchronous: bool, workers: int, evaluations: int, seconds: float, strategy: str, seed: int) -> None:
    """One run, as a line of JSON."""
    iterations = max((evaluations - INITIAL) // workers, 1)
    settings = SearchSettings(
        initial=INITIAL, iterations=iterations, per_iteration=workers, strategy=strategy, asynchronous=asynchronous
    )
    config = Config("tiny", "given", objectives=("top1", "params", "madds"), seed=seed, search=settings)
    with tempfile.TemporaryDirectory() as folder, create_run(Path(folder) / "run", config) as made:
        executor, begun = Simulated(workers, seconds), time.process_time()
        with redirect_stderr(io.StringIO()):
            search(made, executor)
        found = figures(made, executor, time.process_time() - begun)
    how = {"asynchronous": asynchronous, "strategy": strategy, "workers": workers, "seed": seed}
    print(json.dumps(how | found), flush=True)


def figures(made: Run, executor: Simulated, own: float) -> dict[str, Any]:
    """See above."""
    rows = made.archive.evaluations()
    total = sum(executor.takes(row.arch) for row in rows)
    ideal, wall = len(rows) * executor.workers / total, max(executor.arrived.values())
    ordered = sorted(rows, key=lambda row: executor.arrived[row.arch.id])
    times = np.array([executor.arrived[row.arch.id] for row in ordered])
    return {
        "evaluations": len(rows),
        "ideal": round(ideal, 2),
        "throughput": round(len(rows) / wall / ideal, 3),
        "own_s": round(own / max(len(rows) - INITIAL, 1), 4),
        "hv_at": [volume(made, ordered[: int(part * len(rows))]) for part in PARTS],
        "hv_after_s": [volume(made, ordered[: int((times <= part * len(rows) / ideal).sum())]) for part in PARTS],
    }


def volume(made: Run, rows: Sequence[Evaluation]) -> float:
    """Against the range of the space's smallest and largest network."""
    anchors = made.space.decode(made.problem.anchors)
    done = history(rows, made.space.n_genes)
    if not {arch.id for arch in anchors} <= {row.arch.id for row in rows}:
        return 0.0  # its scale is not known yet
    return round(made.problem.hypervolume(done), 4)


def main() -> None:
    """Batches and asynchronous proposals by turns, for each strategy and seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--evaluations", type=int, default=340)
    parser.add_argument("--seconds", type=float, default=2.0, help="of the shortest evaluation")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--strategies", nargs="+", default=["msunas"])
    chosen = parser.parse_args()
    for seed in range(1, chosen.seeds + 1):
        for strategy in chosen.strategies:
            for asynchronous in (False, True):
                measure(asynchronous, chosen.workers, chosen.evaluations, chosen.seconds, strategy, seed)


if __name__ == "__main__":
    main()
