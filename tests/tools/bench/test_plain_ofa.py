"""What training throughput is compared with computes the same step as ours: `tools/bench/plain_ofa.py`."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from hwnas.nets import Supernet
from hwnas.space import get_space
from hwnas.train import Recipe
from hwnas.train.optimise import Descent, loss_of, teacher_probabilities
from tools.bench.plain_ofa import PlainStep, logits

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("name", "resolution"), [("tiny", 12), ("mbv3", 64)])
def test_the_plain_step_gives_our_weights(name, resolution):
    space = get_space(name, [resolution], 6)
    # In double precision: rounding, which depends on the machine and its threads, turns no ReLU on or off
    initial, recipe = Supernet(space, seed=1).double(), Recipe()
    ours = copy.deepcopy(initial).to(memory_format=torch.channels_last).train()
    plain = copy.deepcopy(ours).to(memory_format=torch.contiguous_format)
    teacher = copy.deepcopy(plain)
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(8, space.in_channels, resolution, resolution, generator=generator).double()
    labels = torch.arange(8) % 6
    [arch] = space.decode(space.sample(1, np.random.default_rng(1)))
    with torch.no_grad():
        a, b = copy.deepcopy(ours)(images, arch), logits(copy.deepcopy(plain).train(), images, arch)
    assert (a - b).abs().max() < 1e-4 * a.abs().max()
    step = PlainStep(plain, teacher, recipe)
    step(images, labels, [arch], 0.01)
    descent = Descent(ours, recipe, torch.device("cpu"))
    soft = teacher_probabilities(initial.extract(space.extremes()[1]).double(), images)
    descent.backward(loss_of(ours(images, arch), labels, soft, recipe))
    descent.update(0.01)
    changed = 0
    before = initial.state_dict()
    for key, value in plain.named_parameters():
        difference = (value - ours.get_parameter(key)).abs().max()
        moved = (value - before[key]).abs().max()
        changed += bool(moved > 0)
        assert difference <= 0.02 * moved + 1e-6, key
    assert changed > 50
