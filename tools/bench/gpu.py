"""GPU tables without per-layer times, against published end-to-end measurements of 2,500 networks (HELP's data).

python -m tools.bench.gpu [MEASURED.jsonl] [--draws 5] [--networks 20] [--json FILE]

For each card: `lut fit` from networks drawn at random and from those that `lut plan` proposes, `lut estimate` from the
data sheet, and the same scaled by one measured network; every figure is over the networks that were not measured.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from hwnas.space import Architecture, SearchSpace, get_space
from lut import LatencyTable
from lut.estimate.experiment_design import plan
from lut.estimate.few_shot import fit
from lut.estimate.roofline import estimate, scaled
from profilers.errors import BadInput
from profilers.files import parse_json, read_text, write_json
from tools.bench.shared import PUBLISHED, run

MEASURED = PUBLISHED / "help/ofa_gpu_latency.jsonl"
FORM = '{"arch": …, "latency_ms": {"titan_rtx_64": …, "titan_xp_64": …}} a line'
CARDS = {"titan_rtx_64": "Titan RTX", "titan_xp_64": "Titan Xp"}
BATCH = 64
BAR = {"Titan RTX": {"mape": 1.5, "within_5": 0.97, "spearman": 0.998}, "Titan Xp": {"mape": 3.5, "spearman": 0.994}}


class Card:
    """All networks with their measured milliseconds on one card."""

    def __init__(self, space: SearchSpace, archs: Sequence[Architecture], measured: np.ndarray, name: str) -> None:
        self.space, self.archs, self.measured, self.name = space, archs, measured, name
        self.genes = space.encode(archs)

    def figures(self, table: LatencyTable, known: np.ndarray) -> dict[str, float]:
        """Of the networks that are not `known`."""
        rest = np.setdiff1d(np.arange(len(self.archs)), known)
        predicted, measured = table.bind(self.space).predict(self.genes[rest]), self.measured[rest]
        error = np.abs(predicted.ms / measured - 1)
        inside = (predicted.low <= measured) & (measured <= predicted.high)
        return {
            "mape": 100 * float(error.mean()),
            "within_5": float((error <= 0.05).mean()),
            "spearman": float(spearmanr(predicted.ms, measured).statistic),
            "covered": float(inside.mean()),
        }

    def fitted(self, known: np.ndarray) -> dict[str, float]:
        """`lut fit` from these networks."""
        few = [self.archs[i] for i in known]
        return self.figures(fit(self.space, few, self.measured[known].tolist(), BATCH, self.name), known)

    def one_scaled(self, known: np.ndarray) -> dict[str, float]:
        """`lut estimate`, scaled by these networks."""
        table = scaled(
            estimate(self.space, self.name, BATCH),
            self.space,
            [self.archs[i] for i in known],
            self.measured[known].tolist(),
        )
        return self.figures(table, known)


def cards(path: Path) -> list[Card]:
    """The published file; BadInput for a line without architecture or latency."""
    if not path.is_file():
        raise BadInput(f"{path} does not exist", FORM, "hwnas fetch help has the networks and times as torch files")
    rows = [parse_json(line, f"{path}, line {n}") for n, line in enumerate(read_text(path).splitlines(), 1)]
    try:
        space = get_space("mbv3", sorted({int(row["arch"]["r"]) for row in rows}))
        archs = [space.parse(row["arch"]) for row in rows]
        return [
            Card(space, archs, np.array([row["latency_ms"][column] for row in rows], float), name)
            for column, name in CARDS.items()
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(f"{path} is not of HELP's form: {error}", FORM) from error


def compare(card: Card, draws: int, networks: int) -> dict[str, Any]:
    """Every way to a table, for one card."""
    everyone, index = np.arange(len(card.archs)), {arch: i for i, arch in enumerate(card.archs)}
    random = [np.random.default_rng(draw).permutation(everyone)[:networks] for draw in range(draws)]
    planned = np.array([index[arch] for arch in plan(card.space, networks, BATCH, among=card.archs)[0]])
    ones = [np.random.default_rng(draw).permutation(everyone)[:1] for draw in range(10 * draws)]
    return {
        f"fit, {networks} at random, mean of {draws}": mean([card.fitted(known) for known in random]),
        f"fit, {networks} planned": card.fitted(planned),
        "estimate": card.figures(estimate(card.space, card.name, BATCH), np.array([], int)),
        f"estimate scaled by 1, mean of {10 * draws}": mean([card.one_scaled(known) for known in ones]),
    }


def mean(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    """Figure by figure."""
    return {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}


def main() -> None:
    """Print the table, and write it as JSON where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("measured", nargs="?", type=Path, default=MEASURED)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--networks", type=int, default=20)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    found = {card.name: compare(card, arguments.draws, arguments.networks) for card in cards(arguments.measured)}
    print(f"{'':44} {'MAPE %':>7} {'±5 %':>6} {'Spearman':>9} {'in interval':>12}")
    for name, rows in found.items():
        print(f"{name}   (asked of the random draws: {', '.join(f'{k} {v}' for k, v in BAR[name].items())})")
        for way, row in rows.items():
            figures = f"{row['mape']:7.2f} {row['within_5']:6.3f} {row['spearman']:9.4f} {row['covered']:12.3f}"
            print(f"  {way:42} {figures}")
    if arguments.json:
        write_json(arguments.json, found)


if __name__ == "__main__":
    run(main)
