from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial as bind

import numpy as np
import pytest

from hwnas.onnx.writer import write_onnx
from hwnas.space import get_space
from lut import load
from lut.build.checkpoint import Partial
from lut.build.pipeline import LEAST_GROUPS, BuildPlan, build, spread_networks
from lut.table.classifier import classifiers
from lut.verify import remarks, verify
from profilers.base import Options
from profilers.errors import (
    BadInput,
    EngineUnavailable,
    FingerprintMismatch,
    HwnasError,
    MeasurementFailed,
    TableError,
)
from profilers.runtimes.fake import Behaviour, Fake, FakeClock

PLAN = BuildPlan(passes=1, networks=40)


@pytest.fixture
def space():
    return get_space("tiny", [12, 20])


def fake(**behaviour):
    return Fake(Behaviour(**behaviour))


def make(space, out, profiler=None, **more):
    return build(space, write_onnx, profiler or fake(), out=out, **{"plan": PLAN, **more})


def true_ms(space, archs):
    sessions = [fake().load(write_onnx(space.layers(arch)), Options()) for arch in archs]
    return np.array([s.ideal_ms for s in sessions])


@pytest.mark.parametrize("method", ["in-context", "isolated"])
def test_a_built_table_predicts_the_simulated_device(space, tmp_path, method):
    table = make(space, tmp_path / "t.json", method=method)
    genes = space.sample(40, np.random.default_rng(9))
    error = np.abs(table.bind(space).predict(genes).ms / true_ms(space, space.decode(genes)) - 1)
    assert error.mean() < 0.02 and error.max() < 0.05
    assert (table.status, table.method, table.device) == ("measured", method, "simulated device")
    assert load(tmp_path / "t.json") == table and [p.name for p in tmp_path.iterdir()] == ["t.json"]


def test_raw_observations_are_stored(space, tmp_path):
    make(space, tmp_path / "t.json")
    units = load(tmp_path / "t.json").observations["units"]
    names = [u["name"].split(",")[0] for u in units]
    assert names == ["networks 1", "pass 1", "networks 2", "pass 1", "networks 3"]  # among the covers
    assert all(u["sentinels"] for u in units)
    assert all(len(n["blocks"]) >= 5 for u in units for n in u["networks"])
    every = (*space.all_layers(), *classifiers(space))
    assert {k for u in units for k in u["layers"]} == {layer.key for layer in every}


class Killed(BaseException):
    pass


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_killed_build_goes_on_to_the_same_table(space, tmp_path, monkeypatch, at):
    whole = make(space, tmp_path / "whole.json")
    add, count = Partial.add, iter(range(100))

    def dying(self, unit):
        add(self, unit)
        if next(count) + 1 == at:
            raise Killed

    monkeypatch.setattr(Partial, "add", dying)
    with pytest.raises(Killed):
        make(space, tmp_path / "t.json")
    monkeypatch.setattr(Partial, "add", add)
    assert not (tmp_path / "t.json").exists()
    before = json.loads((tmp_path / "t.json.partial").read_text())["content"]["units"]
    resumed = make(space, tmp_path / "t.json")
    assert [u["name"] for u in resumed.observations["units"]][:at] == [u["name"] for u in before]
    for key, entry in whole.entries.items():
        assert resumed.entries[key] == pytest.approx(entry, rel=1e-9)  # the simulated clock stood elsewhere
    assert resumed.interval.upper == pytest.approx(whole.interval.upper, rel=1e-9)
    assert not (tmp_path / "t.json.partial").exists()


def test_sigkill_loses_at_most_a_unit(tmp_path):
    script = (
        "from pathlib import Path; from hwnas.space import get_space; from hwnas.onnx.writer import write_onnx;"
        "from lut.build import build, BuildPlan; from profilers.runtimes.fake import Fake;"
        f"out = Path({str(tmp_path / 't.json')!r});"
        "build(get_space('tiny'), write_onnx, Fake(), out=out, plan=BuildPlan(passes=1))"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (tmp_path / "t.json.partial").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    done = json.loads((tmp_path / "t.json.partial").read_text())["content"]["units"]
    table = build(get_space("tiny"), write_onnx, Fake(), out=tmp_path / "t.json", plan=BuildPlan(passes=1))
    assert table.observations["units"][: len(done)] == done


@pytest.fixture
def interrupted(space, tmp_path, monkeypatch):
    add = Partial.add

    def dying(self, unit):
        add(self, unit)
        raise Killed

    monkeypatch.setattr(Partial, "add", dying)
    with pytest.raises(Killed):
        make(space, tmp_path / "t.json")
    monkeypatch.setattr(Partial, "add", add)
    return tmp_path / "t.json"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"options": Options(batch=2)}, "batch: 2 here, 1 there"),
        ({"method": "isolated"}, "method: isolated here, in-context there"),
        ({"plan": replace(PLAN, seed=1)}, "seed: 1 here, 0 there"),
    ],
)
def test_other_conditions_are_never_mixed(space, interrupted, change, named):
    before = interrupted.with_name("t.json.partial").read_bytes()
    with pytest.raises(FingerprintMismatch, match=named) as error:
        make(space, interrupted, **change)
    assert "--force" in str(error.value) and interrupted.with_name("t.json.partial").read_bytes() == before


def test_another_space_is_never_mixed(interrupted):
    with pytest.raises(FingerprintMismatch, match="space"):
        make(get_space("tiny", [12, 14]), interrupted)


def test_a_build_of_a_version_with_other_sentinels_is_never_mixed(space, interrupted, monkeypatch):
    monkeypatch.setattr("lut.build.pipeline.SENTINELS", 2)
    with pytest.raises(FingerprintMismatch, match="sentinels: 2 here, 3 there"):
        make(space, interrupted)


def test_force_starts_afresh(space, interrupted):
    table = make(space, interrupted, method="isolated", force=True)
    assert all(not u["networks"] for u in table.observations["units"] if u["layers"])


def test_a_damaged_partial_is_one_clear_line(space, interrupted):
    path = interrupted.with_name("t.json.partial")
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(TableError):
        make(space, interrupted)
    assert make(space, interrupted, force=True)


def test_a_device_that_fails_says_so(space, tmp_path):
    with pytest.raises(MeasurementFailed, match="fails after 3 runs"):
        make(space, tmp_path / "t.json", fake(fail_after=3))
    assert not (tmp_path / "t.json").exists()


def test_in_context_needs_traces(space, tmp_path, monkeypatch):
    monkeypatch.setattr(Fake, "traces", False)
    with pytest.raises(EngineUnavailable, match="--method isolated"):
        make(space, tmp_path / "t.json")
    assert make(space, tmp_path / "t.json", method="isolated").method == "isolated"


@pytest.mark.parametrize("bad", [{"method": "guess"}, {"options": Options(precision="fp8")}])
def test_bad_requests(space, tmp_path, bad):
    with pytest.raises(HwnasError) as error:
        make(space, tmp_path / "t.json", **bad)
    assert "\n" not in str(error.value)


def test_bad_plans():
    with pytest.raises(BadInput):
        BuildPlan(passes=0)


def test_budget_and_target_stop_the_passes(space, tmp_path):
    many = make(space, tmp_path / "a.json", plan=BuildPlan(passes=3, networks=0, target=0.0, budget_seconds=None))
    few = make(space, tmp_path / "b.json", plan=BuildPlan(passes=3, networks=0, target=0.0, budget_seconds=1e-6))
    good = make(space, tmp_path / "c.json", plan=BuildPlan(passes=3, networks=0, target=1.0))
    assert [t.provenance["covers"] for t in (many, few, good)] == [6, 2, 2]
    assert few.interval is None and "standard errors" in few.interval_source


def test_verify_reports_what_was_measured(space, tmp_path):
    table = make(space, tmp_path / "t.json")
    figures = verify(table, space, write_onnx, fake(), archs=30)
    assert figures["networks"] == 30 and figures["within_5"] == 1.0 and figures["kendall_tau"] > 0.95
    assert figures["mape"] < 0.02 and 0 < figures["noise_floor_mape"] < 0.02 and 0.7 <= figures["coverage"] <= 1
    assert abs(figures["speed_change"]) < 0.01
    wrong = replace(table, entries={k: e._replace(ms=2 * e.ms) for k, e in table.entries.items()}, calibration=None)
    assert verify(wrong, space, write_onnx, fake(), archs=20)["bias"] == pytest.approx(1.0, abs=0.05)


def test_verify_divides_out_that_the_machine_is_slower_now(space, tmp_path, monkeypatch):
    table = make(space, tmp_path / "t.json")
    monkeypatch.setattr("profilers.runtimes.fake.EDGE_MS", 0.0)
    import profilers.runtimes.fake

    node_ms = profilers.runtimes.fake._node_ms
    monkeypatch.setattr(profilers.runtimes.fake, "_node_ms", lambda *a: 1.5 * node_ms(*a))
    figures = verify(table, space, write_onnx, fake(), archs=30)
    assert figures["speed_change"] > 0.1 and figures["mape"] < 0.5 * figures["mape_as_run"]


def test_verify_refuses_another_fingerprint(space, tmp_path):
    table = make(space, tmp_path / "t.json")
    other = replace(table, fingerprint=replace(table.fingerprint, device="another", runtime_version="0"))
    check = bind(verify, space=space, to_onnx=write_onnx, profiler=fake(), archs=4)
    with pytest.raises(FingerprintMismatch, match=r"device: simulated device here, another there; runtime_version"):
        check(other)
    assert check(other, force=True)["networks"] == 4
    with pytest.raises(TableError, match="estimated"):
        check(replace(table, fingerprint=None, status="estimated"))
    with pytest.raises(BadInput):
        verify(table, space, write_onnx, fake(), archs=1)


def test_a_disturbed_build_says_so(space, tmp_path):
    table = make(space, tmp_path / "t.json", fake(stolen=0.3))
    assert any("rejected" in w or "CPU time" in w for w in table.provenance["warnings"])
    genes = space.sample(40, np.random.default_rng(9))
    error = np.abs(table.bind(space).predict(genes).ms / true_ms(space, space.decode(genes)) - 1)
    assert np.mean(error < 0.05) >= 0.95


def test_a_late_build_still_has_its_least_groups_of_networks(space, tmp_path):
    table = make(space, tmp_path / "a.json", plan=BuildPlan(passes=2, networks=144, budget_seconds=1e-6))
    names = [u["name"] for u in table.observations["units"]]
    assert [n for n in names if n.startswith("networks")] == [f"networks {i + 1}" for i in range(LEAST_GROUPS)]
    assert sum(n.startswith("pass") for n in names) == len(space.resolutions)


def test_the_bars_total_leaves_out_what_the_budget_will_not_allow(space, tmp_path, monkeypatch):
    totals = []

    class Bar:
        def __init__(self, total):
            self.total = total

        def advance(self, amount=1):
            pass

        def note(self, text):
            totals.append(self.total)

        def reduce_total(self, amount):
            self.total -= amount

    monkeypatch.setattr("lut.build.pipeline.track", lambda total, label, done: nullcontext(Bar(total)))
    table = make(space, tmp_path / "a.json", plan=BuildPlan(passes=3, networks=144, budget_seconds=1e-6))
    must = len(space.resolutions) + LEAST_GROUPS
    assert totals == [3 * len(space.resolutions) + 8] + [must] * (must - 1)
    assert len(table.observations["units"]) == must


def test_networks_come_before_further_covers(space, tmp_path):
    table = make(space, tmp_path / "a.json", plan=BuildPlan(passes=2, target=0.0, networks=144))
    names = [u["name"] for u in table.observations["units"]]
    assert [n.startswith("pass 2") for n in names] == [False] * (len(names) - 2) + [True] * 2


def test_verify_remarks_on_a_machine_in_another_state():
    quiet = {"speed_change": -0.03, "other_work_cores": 0.1, "shared_core": 0.05}
    assert remarks(quiet) == []
    faster, busy, shared = remarks({"speed_change": -0.064, "other_work_cores": 0.98, "shared_core": 0.4})
    assert "6% faster than in the quick moments of the build" in faster
    assert "1.0 cores" in busy and "40% of the blocks" in shared
    assert "5% slower" in remarks(quiet | {"speed_change": 0.05})[0]


@dataclass(eq=False)
class SlowedClock(FakeClock):
    """All takes 1.4 times as long in one of three stretches of a quarter second: two groups of networks or so."""

    def advance(self, wall, cpu):
        slow = 1.0 if int(4 * self.seconds) % 3 else 1.4
        super().advance(slow * wall, slow * cpu)


def test_a_table_is_of_the_quick_moments_and_its_interval_knows_how_they_varied(space, tmp_path):
    table = make(space, tmp_path / "t.json", Fake(clock=SlowedClock()), plan=BuildPlan(passes=2, networks=144))
    assert any("drifted" in w for w in table.provenance["warnings"])
    genes = space.sample(40, np.random.default_rng(9))
    error = table.bind(space).predict(genes).ms / true_ms(space, space.decode(genes)) - 1
    assert np.mean(np.abs(error) < 0.05) >= 0.95 and abs(np.median(error)) < 0.02
    assert table.provenance["speed_spread"] > 0.05 and table.interval.upper > 1.15
    assert make(space, tmp_path / "u.json").interval.upper < 1.05


@pytest.mark.parametrize("method", ["in-context", "isolated"])
def test_neighbours_on_the_core_are_told(space, tmp_path, method):
    def beside(seconds):
        return int(seconds / 0.05) % 2 == 1

    profiler = Fake(clock=FakeClock(contended=beside))
    table = make(space, tmp_path / "t.json", profiler, method=method)
    assert 0.1 < table.provenance["shared_core"] < 0.6
    assert any("seen on the same core" in w for w in table.provenance["warnings"])
    assert all(0 < u["shared"] < 1 for u in table.observations["units"])
    assert 0.1 < verify(table, space, write_onnx, profiler, archs=20)["shared_core"] < 0.6
    alone = make(space, tmp_path / "u.json", method=method)
    assert (
        alone.provenance["shared_core"] == 0 and verify(alone, space, write_onnx, fake(), archs=20)["shared_core"] == 0
    )


@pytest.mark.parametrize("name", ["mbv3", "proxyless", "tiny"])
def test_networks_of_a_build_are_spread_evenly_over_the_resolutions(name):
    space = get_space(name)
    every = len(space.resolutions)
    genes = spread_networks(space, 5 * every + 3, seed=1)
    counts = [np.bincount(genes[:n, 0], minlength=every + 1)[1:] for n in range(1, len(genes) + 1)]
    assert all(np.ptp(c) <= 1 for c in counts) and (genes == space.canonical(genes)).all()
    assert (genes == spread_networks(space, 5 * every + 3, seed=1)).all()
    assert len({tuple(row) for row in genes.tolist()}) == len(genes) or name == "tiny"
