"""What the tests of exporting share: a small item, and a request that is quick."""

from __future__ import annotations

import numpy as np

from hwnas.data import get_dataset
from hwnas.export.item import ExportItem, counted
from hwnas.export.pipeline import Request
from hwnas.export.runtime_costs import CostPlan
from hwnas.nets import Network
from hwnas.space import get_space
from profilers.base import TimingPlan

QUICK = TimingPlan(min_rounds=5, max_rounds=10, warmup_runs=2, warmup_max_runs=3)
REQUEST = Request(plan=QUICK, costs=CostPlan.QUICK, references=())


def item(i: int = 0, dataset: str | None = "digits") -> ExportItem:
    """A network of the tiny space with random weights."""
    space = get_space("tiny")
    arch = space.decode(space.sample(i + 1, np.random.default_rng(0)))[i]
    network = Network(space.layers(arch), arch, seed=i)
    return ExportItem(space, arch, network, "random", counted(space, arch), (), dataset and get_dataset(dataset))
