"""Building a table: what is in it, what an interruption leaves, and what is never mixed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, replace

import numpy as np
import pytest

from hwnas.space import get_space
from lut import load
from lut.build.checkpoint import FORMAT
from lut.build.pipeline import spread_networks
from lut.build.schedule import LEAST_GROUPS, BuildPlan
from lut.table.classifier import classifiers
from lut.table.store import write_document
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
from tests.lut.build.simulated import PLAN, check, fake, make, small, true_ms


@pytest.fixture
def space():
    return small()


@pytest.fixture(scope="module", params=["in-context", "isolated"])
def built(request, tmp_path_factory):
    """A table by each method, and its file."""
    path = tmp_path_factory.mktemp(request.param) / "t.json"
    return make(small(), path, method=request.param), path


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A table that was never interrupted."""
    return make(small(), tmp_path_factory.mktemp("whole") / "t.json")


@pytest.mark.slow
def test_a_built_table_predicts_the_simulated_device(space, built):
    table, path = built
    genes = space.sample(40, np.random.default_rng(9))
    error = np.abs(table.bind(space).predict(genes).ms / true_ms(space, space.decode(genes)) - 1)
    assert error.mean() < 0.02 and error.max() < 0.05
    assert (table.status, table.device) == ("measured", "simulated device")
    assert load(path) == table and [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.slow
def test_raw_observations_are_stored(space, whole):
    batches = whole.observations["batches"]
    names = [b["name"].split(",")[0] for b in batches]
    assert names == ["networks 1", "pass 1", "networks 2", "pass 1", "networks 3"]  # among the covers
    assert all(b["controls_ms"] for b in batches)
    assert all(len(n["blocks"]) >= 5 for b in batches for n in b["networks"])
    every = (*space.all_layers(), *classifiers(space))
    assert {k for b in batches for k in b["layers"]} == {layer.key for layer in every}


@pytest.mark.slow
def test_each_network_of_a_table_says_what_was_measured(space, whole):
    batches = whole.observations["batches"]
    assert {(b["state"], b["estimator"]) for b in batches} == {("steady", whole.provenance["estimator"])}
    for network in (n for b in batches if not b["layers"] for n in b["networks"]):
        assert network["id"] == f"{space.parse(network['arch']).id}-{network['classes']}"
        assert network["low"] < network["ms"] < network["high"]


class Killed(BaseException):
    pass


class Mortal(Fake):
    """Dies at the first load after so many batches were saved beside `out`."""

    def __init__(self, out, batches):
        super().__init__(Behaviour())
        self.partial, self.batches = out.with_name(f"{out.name}.partial"), batches

    def load(self, model, options=None, *, traced=False):
        if len(saved(self.partial)) >= self.batches:
            raise Killed
        return super().load(model, options, traced=traced)


def saved(partial):
    return json.loads(partial.read_text())["content"]["batches"] if partial.exists() else []


@pytest.fixture
def interrupted(space, tmp_path):
    """A table's file, of which one batch is done."""
    with pytest.raises(Killed):
        make(space, tmp_path / "t.json", Mortal(tmp_path / "t.json", 1))
    return tmp_path / "t.json"


@pytest.mark.slow
@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_killed_build_goes_on_to_the_same_table(space, tmp_path, whole, at):
    path = tmp_path / "t.json"
    with pytest.raises(Killed):
        make(space, path, Mortal(path, at))
    assert not path.exists()
    before = saved(path.with_name("t.json.partial"))
    resumed = make(space, path)
    assert resumed.observations["batches"][:at] == before and len(before) == at
    assert measured(resumed) == measured(whole)  # to the last digit
    assert not path.with_name("t.json.partial").exists()


def measured(table):
    """Everything of a table but what this machine's own clock and load say."""
    known = asdict(table)
    del known["fingerprint"]["load"]
    for name in ("created", "seconds", "background_load_cores", "warnings"):
        del known["provenance"][name]
    for batch in known["observations"]["batches"]:
        del batch["seconds"], batch["background_load"]
    return known


@pytest.mark.slow
def test_sigkill_loses_at_most_a_batch(tmp_path):
    script = (
        "from pathlib import Path; from hwnas.space import get_space;"
        "from tests.lut.build.simulated import make, BuildPlan;"
        f"make(get_space('tiny'), Path({str(tmp_path / 't.json')!r}), plan=BuildPlan(passes=1))"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (tmp_path / "t.json.partial").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    done = saved(tmp_path / "t.json.partial")
    table = make(get_space("tiny"), tmp_path / "t.json", plan=BuildPlan(passes=1))
    assert done and table.observations["batches"][: len(done)] == done


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
    assert "--fresh" in str(error.value) and interrupted.with_name("t.json.partial").read_bytes() == before


def test_another_space_is_never_mixed(interrupted):
    with pytest.raises(FingerprintMismatch, match="space"):
        make(get_space("tiny", [12, 14]), interrupted)


def test_a_build_of_a_version_with_other_controls_is_never_mixed(space, interrupted):
    path = interrupted.with_name("t.json.partial")
    content = json.loads(path.read_text())["content"]
    content["settings"]["controls"] = 2
    write_document(path, FORMAT, content)
    with pytest.raises(FingerprintMismatch, match="controls: 3 here, 2 there"):
        make(space, interrupted)


@pytest.mark.slow
def test_fresh_begins_anew(space, interrupted):
    table = make(space, interrupted, method="isolated", fresh=True)
    assert all(not b["networks"] for b in table.observations["batches"] if b["layers"])


@pytest.mark.slow
def test_a_damaged_partial_is_one_clear_line(space, interrupted):
    path = interrupted.with_name("t.json.partial")
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(TableError):
        make(space, interrupted)
    assert make(space, interrupted, fresh=True)


def test_a_device_that_fails_says_so(space, tmp_path):
    with pytest.raises(MeasurementFailed, match="fails after 3 runs"):
        make(space, tmp_path / "t.json", fake(fail_after=3))
    assert not (tmp_path / "t.json").exists()


class Untraceable(Fake):
    traces = False


@pytest.mark.slow
def test_in_context_needs_traces(space, tmp_path):
    with pytest.raises(EngineUnavailable, match="--method isolated"):
        make(space, tmp_path / "t.json", Untraceable())
    assert make(space, tmp_path / "t.json", Untraceable(), method="isolated").method == "isolated"


@pytest.mark.parametrize("bad", [{"method": "guess"}, {"options": Options(precision="fp8")}])
def test_bad_requests(space, tmp_path, bad):
    with pytest.raises(HwnasError) as error:
        make(space, tmp_path / "t.json", **bad)
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_budget_and_target_stop_the_passes(space, tmp_path):
    many = make(space, tmp_path / "a.json", plan=BuildPlan(passes=3, networks=0, target=0.0, budget_seconds=None))
    few = make(space, tmp_path / "b.json", plan=BuildPlan(passes=3, networks=0, target=0.0, budget_seconds=1e-6))
    good = make(space, tmp_path / "c.json", plan=BuildPlan(passes=3, networks=0, target=1.0))
    assert [t.provenance["covers"] for t in (many, few, good)] == [6, 2, 2]
    assert few.interval is None and "standard errors" in few.interval_source


@pytest.mark.slow
def test_a_disturbed_build_says_so(space, tmp_path):
    table = make(space, tmp_path / "t.json", fake(stolen=0.3))
    assert any("rejected" in w or "CPU time" in w for w in table.provenance["warnings"])
    genes = space.sample(40, np.random.default_rng(9))
    error = np.abs(table.bind(space).predict(genes).ms / true_ms(space, space.decode(genes)) - 1)
    assert np.mean(error < 0.05) >= 0.95


@pytest.mark.slow
def test_a_late_build_still_has_its_least_groups_of_networks(space, tmp_path):
    table = make(space, tmp_path / "a.json", plan=BuildPlan(passes=2, networks=144, budget_seconds=1e-6))
    names = [b["name"] for b in table.observations["batches"]]
    assert [n for n in names if n.startswith("networks")] == [f"networks {i + 1}" for i in range(LEAST_GROUPS)]
    assert sum(n.startswith("pass") for n in names) == len(space.resolutions)


@dataclass(eq=False)
class SlowedClock(FakeClock):
    """All takes 1.4 times as long in one of three stretches of a quarter second: two groups of networks or so."""

    def advance(self, wall, cpu):
        slow = 1.0 if int(4 * self.seconds) % 3 else 1.4
        super().advance(slow * wall, slow * cpu)


@pytest.mark.slow
def test_a_table_is_of_the_quick_moments_and_its_interval_knows_how_they_varied(space, tmp_path):
    table = make(space, tmp_path / "t.json", Fake(clock=SlowedClock()), plan=BuildPlan(passes=2, networks=144))
    assert any("drifted" in w for w in table.provenance["warnings"])
    genes = space.sample(40, np.random.default_rng(9))
    error = table.bind(space).predict(genes).ms / true_ms(space, space.decode(genes)) - 1
    assert np.mean(np.abs(error) < 0.05) >= 0.95 and abs(np.median(error)) < 0.02
    assert table.provenance["speed_spread"] > 0.05 and table.interval.upper > 1.15
    assert make(space, tmp_path / "u.json").interval.upper < 1.05


@pytest.mark.slow
@pytest.mark.parametrize("method", ["in-context", "isolated"])
def test_neighbours_on_the_core_are_told(space, tmp_path, method):
    def beside(seconds):
        return int(seconds / 0.05) % 2 == 1

    profiler = Fake(clock=FakeClock(contended=beside))
    table = make(space, tmp_path / "t.json", profiler, method=method)
    assert 0.1 < table.provenance["contended_fraction"] < 0.6
    assert any("on the same core" in w for w in table.provenance["warnings"])
    assert all(0 < b["contended_fraction"] < 1 for b in table.observations["batches"])
    assert 0.1 < check(table, space, profiler, archs=20)["contended_fraction"] < 0.6
    alone = make(space, tmp_path / "u.json", method=method)
    assert alone.provenance["contended_fraction"] == 0 and check(alone, space, archs=20)["contended_fraction"] == 0


@pytest.mark.parametrize("name", ["mbv3", "proxyless", "tiny"])
def test_networks_of_a_build_are_spread_evenly_over_the_resolutions(name):
    space = get_space(name)
    every = len(space.resolutions)
    genes = spread_networks(space, 5 * every + 3, seed=1)
    counts = [np.bincount(genes[:n, 0], minlength=every + 1)[1:] for n in range(1, len(genes) + 1)]
    assert all(np.ptp(c) <= 1 for c in counts) and (genes == space.canonical(genes)).all()
    assert (genes == spread_networks(space, 5 * every + 3, seed=1)).all()
    assert len({tuple(row) for row in genes.tolist()}) == len(genes) or name == "tiny"


@pytest.mark.slow
def test_a_finished_table_is_kept_or_refused(space, built, capsys):
    table, path = built
    before = path.read_bytes()
    assert make(space, path, method=table.method) == table
    assert "finished: kept (--fresh begins anew)" in capsys.readouterr().err
    with pytest.raises(FingerprintMismatch, match=r"seed: 1 here, 0 there; .*another --out, or --fresh"):
        make(space, path, method=table.method, plan=replace(PLAN, seed=1))
    with pytest.raises(BadInput, match="holds a latency table"):
        make(space, path, method=table.method, resume=False)
    assert path.read_bytes() == before


def test_what_is_no_table_is_never_written_over(space, tmp_path):
    (tmp_path / "t.json").write_text("{}")
    for fresh in (False, True):
        with pytest.raises(BadInput, match="is something else"):
            make(space, tmp_path / "t.json", fresh=fresh)
    assert (tmp_path / "t.json").read_text() == "{}"
