"""How many architectures a second are evaluated for params, MAdds and latency on one core, by look-up.

python -m tools.bench.lookup [TABLE.json] [--n 1000000]     without a table: one estimated from a data sheet
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

import lut
from hwnas.space import get_space
from lut.estimate.roofline import estimate
from profilers.timing.pinning import pin
from tools.bench.shared import run


def main() -> None:
    """Print one line of JSON: CPU seconds for each part and architectures a second for all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", nargs="?", type=Path)
    parser.add_argument("--n", type=int, default=1_000_000)
    arguments = parser.parse_args()
    table = lut.load(arguments.table) if arguments.table else estimate(get_space("mbv3"), "GTX 1080 Ti", 64)
    space = get_space(table.space.name, table.space.resolutions, table.space.classes)
    params, madds, bound = space.compile(lambda x: x.params), space.compile(lambda x: x.madds), table.bind(space)
    genes = space.sample(arguments.n, np.random.default_rng(0))
    with pin(1):
        start = time.process_time()
        choices = space.choices(genes)
        params.evaluate(genes[:, 0], choices)
        madds.evaluate(genes[:, 0], choices)
        counted = time.process_time() - start
        bound.predict(genes)
        seconds = time.process_time() - start
    rate = round(arguments.n / seconds)
    print(json.dumps({"architectures": arguments.n, "seconds_counts": counted, "seconds": seconds, "per_second": rate}))


if __name__ == "__main__":
    run(main)
