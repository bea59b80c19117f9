"""What the tests of exporting share: a small job, and a request that is quick."""

from __future__ import annotations

import numpy as np

from hwnas.data import get_dataset
from hwnas.export.item import Job, counted
from hwnas.export.pipeline import Request
from hwnas.export.runtime_costs import SHALLOW
from hwnas.nets import Network
from hwnas.space import get_space
from profilers.base import TimingPlan

QUICK = TimingPlan(min_rounds=5, max_rounds=10, warmup_runs=2, warmup_max_runs=3)
REQUEST = Request(plan=QUICK, depth=SHALLOW, references=())


def job(i: int = 0, dataset: str | None = "digits") -> Job:
    """A network of the tiny space with random weights."""
    space = get_space("tiny")
    arch = space.decode(space.sample(i + 1, np.random.default_rng(0)))[i]
    network = Network(space.layers(arch), arch, seed=i)
    return Job(space, arch, network, "random", counted(space, arch), (), dataset and get_dataset(dataset))
