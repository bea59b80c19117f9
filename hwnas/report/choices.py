"""Which choices the networks on each front of a run have made (paper, Fig. 10)."""

from __future__ import annotations

import numpy as np

from hwnas.report.data import RunData
from hwnas.report.words import label
from hwnas.select.choices import Frequencies, count


def frequencies(run: RunData) -> list[Frequencies]:
    """One for the front of the quality against each cost."""
    found = []
    for i in run.costs if run.done else ():
        chosen = [run.archs[k] for k in np.flatnonzero(run.front_of([run.quality, i]))]
        found.append(count(label(run.objectives[i].name), run.space, chosen))
    return found
