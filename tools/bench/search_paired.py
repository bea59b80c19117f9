"""Two states of the search beside each other, seed by seed: `python -m tools.bench.search_paired BEFORE AFTER`.

Both are folders of `tools.bench.search --out`, made on one machine from two states of the code; FOLDER:METHOD takes
another method than ours. Prints a line for each problem and, where both have them, for each budget.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import ttest_rel

AT = (148, 220, 340)  # evaluations at which the hypervolumes are compared


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before")
    parser.add_argument("after")
    args = parser.parse_args()
    print("\n".join([*curves(args.before, args.after), *budgets(args.before, args.after)]))


def curves(before: str, after: str) -> list[str]:
    """Hypervolume and own time by problem."""
    (a, b), lines = (_runs(spec) for spec in (before, after)), [f"{'':8}{HEAD}   CPU s before  after  ratio"]
    for problem in (name for name in a if name in b):
        both = sorted(a[problem].keys() & b[problem].keys(), key=int)
        for at in AT:
            values = [[runs[problem][seed]["values"][at - 1] for seed in both] for runs in (a, b)]
            seconds = [np.mean([runs[problem][seed]["seconds"] for seed in both]) for runs in (a, b)]
            spent = f"{seconds[0]:14.1f}{seconds[1]:7.1f}{seconds[1] / seconds[0]:7.2f}" if at == AT[-1] else ""
            lines.append(f"{problem:8}{at:>4}{row(*values)}{spent}")
    return lines


def budgets(before: str, after: str) -> list[str]:
    """Best top-1 within each budget, where both folders have `budgets.json`."""
    paths = [Path(spec.split(":")[0]) / "budgets.json" for spec in (before, after)]
    if not all(path.exists() for path in paths):
        return []
    (a, b), lines = (json.loads(path.read_text()) for path in paths), [f"{'ms':8}{HEAD}"]
    for limit in (limit for limit in a if limit in b):
        both = sorted(a[limit].keys() & b[limit].keys(), key=int)
        lines.append(f"{limit:8}{200:>4}{row(*([runs[limit][seed][0] for seed in both] for runs in (a, b)))}")
    return lines


HEAD = "  at seeds  before   after  change   s.d.      p"


def row(before: Sequence[float], after: Sequence[float]) -> str:
    """Seeds, both means, mean and standard deviation of the paired differences, and the paired t-test's p."""
    change = np.subtract(after, before)
    several = len(change) > 1
    spread = f"{change.std(ddof=1):7.4f}" if several else f"{'-':>7}"
    p = f"{ttest_rel(before, after).pvalue:7.3f}" if several else f"{'-':>7}"
    return f"{len(change):6}{np.mean(before):8.4f}{np.mean(after):8.4f}{change.mean():+8.4f}{spread}{p}"


def _runs(spec: str) -> Mapping[str, Mapping[str, Any]]:
    """Problem to seed to run."""
    folder, _, method = spec.partition(":")
    problems = json.loads((Path(folder) / "curves.json").read_text())["curves"]
    return {name: methods.get(method or "ours", {}) for name, methods in problems.items()}


if __name__ == "__main__":
    main()
