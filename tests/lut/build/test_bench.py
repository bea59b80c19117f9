"""The opened workbench: control models among what is loaded, and networks by their id."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from hwnas.onnx.writer import write_onnx
from hwnas.space import get_space
from lut.build.bench import N_CONTROLS, Network, Workbench, control_archs, open_bench
from profilers.base import Options
from profilers.runtimes.fake import Behaviour, Fake
from profilers.timing import plans
from profilers.timing.measurement import CONTROL


class Placed(Fake):
    """Memory that favours what is loaded late: each session of a group is a percent faster than the one before."""

    def load(self, model, options, *, traced=False):
        session = super().load(model, options, traced=traced)
        session.place, self.places = self.places, self.places + 1
        session.nodes = {k: ms * 0.99**session.place for k, ms in session.nodes.items()}
        session.ideal_ms *= 0.99**session.place
        return session


@pytest.fixture
def networks():
    space = get_space("tiny", [20])
    return [Network(arch) for arch in space.decode(space.sample(11, np.random.default_rng(3)))]


def ideal(networks):
    """Milliseconds on the device, by id."""
    space = get_space("tiny", [20])
    return {n.id: Fake().load(write_onnx(n.layers(space)), Options()).ideal_ms for n in networks}


@pytest.mark.slow
def test_controls_are_loaded_as_early_and_late_as_networks_are(networks):
    profiler, space = Placed(Behaviour(noise=0.0)), get_space("tiny", [20])
    profiler.places = 0
    alone, controls = ideal(networks), list(ideal(map(Network, control_archs(space))).values())
    names = [f"{CONTROL}-{i}" for i in range(N_CONTROLS)]
    errors, orders = [], set()
    with open_bench(Workbench(space, write_onnx, profiler)) as bench:
        loads = {n.id: partial(bench.session, n.layers(space)) for n in networks}
        for seed in range(30):
            profiler.places = 0
            with bench.loaded(loads, seed) as sessions:
                assert list(sessions) == [*loads, *names]
                assert sorted(sessions[name].place for name in names) == [2, 7, 11]
                orders.add(tuple(sessions[key].place for key in loads))
                group = bench.time(sessions, plans.COVER, seed)
            off = np.mean([np.log(group.measured[key].ms / ms) for key, ms in alone.items()])
            errors.append(np.mean(np.log(np.array(group.controls_ms) / controls)) - off)
    assert len(orders) == 30
    assert abs(np.mean(errors)) < 0.01  # loaded last, the controls would be 8 % faster


def test_networks_are_measured_by_id_and_one_that_is_named_twice_once(networks):
    space = get_space("tiny", [20])
    alone = ideal(networks)
    with open_bench(Workbench(space, write_onnx, Fake())) as bench:
        group = bench.networks([networks[3], *networks, Network(networks[3].arch, 3)], plans.NETWORKS, 0)
    assert set(group.measured) == {*alone, f"{networks[3].arch.id}-3"}
    assert all(m.id == key for key, m in group.measured.items())
    assert all(group.measured[key].ms == pytest.approx(ms, rel=0.02) for key, ms in alone.items())
