"""What a build measured: as it is stored, and how it is aggregated into entries."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from hwnas.space import get_space
from lut.build.bench import Network
from lut.build.records import MeasuredNetwork, MeasurementBatch, aggregate
from profilers.errors import TableError
from profilers.timing.control_drift import FAST_GROUPS
from profilers.timing.measurement import Measurement


def batch(name, layers, controls):
    return MeasurementBatch(name, layers, [], controls, 1.0, 10, 0)


def timed(blocks):
    return Measurement("a", 10.0, 9.9, 10.1, "steady", "median", contended_fraction=0.1, blocks=tuple(blocks))


def test_true_drift_is_divided_out():
    speed = np.array([1.0, 1.1, 0.9, 1.0, 1.05])
    batches = [batch(str(i), {"a": [2.0 * f]}, [f, 2 * f, 3 * f]) for i, f in enumerate(speed)]
    entries = aggregate(batches)
    assert (
        entries["a"].ms == pytest.approx(2.0 * np.exp(np.quantile(np.log(speed), FAST_GROUPS)), rel=1e-6)
        and entries["a"].n == 5
        and entries["a"].se < 1e-3
    )


def test_aggregating_ignores_one_wild_observation_and_honours_scatter():
    batches = [batch("u", {"a": [1.0, 1.01, 0.99, 1.0, 9.0, 1.0], "b": [1.0], "c": [1.0, 1.2]}, [0.0])]
    entries = aggregate(batches)
    assert entries["a"].ms == pytest.approx(1.0, abs=0.01)
    assert entries["b"].se > 0 and entries["c"].ms == pytest.approx(1.1)


def test_batches_from_a_file_are_checked():
    space = get_space("tiny")
    arch = space.extremes()[0]
    networks = [MeasuredNetwork.of(Network(arch, classes), timed([1.0, None])) for classes in (None, 3)]
    written = replace(
        batch("u", {"a": [1.0]}, [1.0]),
        networks=networks, state="steady", estimator="median", contended_fraction=0.1,
    )  # fmt: skip
    good = json.loads(json.dumps(written.to_json()))
    read = MeasurementBatch.from_json(good, "x")
    assert read == written and space.parse(read.networks[1].arch) == arch
    assert [n.measurement.blocks for n in read.networks] == [(1.0, None)] * 2
    for change in ({"layers": {"a": ["1"]}}, {"seconds": -1}, {"networks": [1]}, {"blocks": 0.5}, {"extra": 1}):
        with pytest.raises(TableError):
            MeasurementBatch.from_json({**good, **change}, "x")
