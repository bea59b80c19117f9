"""`verify`: the figures of a table against fresh networks, and what it says of the machine."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from hwnas.space import get_space
from lut.build.schedule import BuildPlan
from lut.verify import remarks
from profilers.base import Options
from profilers.errors import BadInput, FingerprintMismatch, TableError
from profilers.runtimes.fake import Behaviour, Fake
from tests.lut.build.simulated import check, make, small


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return make(small(), tmp_path_factory.mktemp("verify") / "t.json")


@pytest.fixture
def space():
    return small()


@pytest.mark.slow
def test_verify_reports_what_was_measured(space, table):
    figures = check(table, space, archs=30)
    assert figures["networks"] == 30 and figures["within_5"] == 1.0 and figures["kendall_tau"] > 0.95
    assert figures["mape"] < 0.02 and 0 < figures["noise_floor_mape"] < 0.02 and 0.7 <= figures["coverage"] <= 1
    assert abs(figures["speed_change"]) < 0.01
    wrong = replace(table, entries={k: e._replace(ms=2 * e.ms) for k, e in table.entries.items()}, calibration=None)
    assert check(wrong, space, archs=20)["bias"] == pytest.approx(1.0, abs=0.05)


class Slower(Fake):
    """The device at 1 / 1.5 of its speed."""

    def load(self, model, options=None, *, traced=False):
        session = super().load(model, options, traced=traced)
        session.ideal_ms *= 1.5
        return session


@pytest.mark.slow
def test_that_the_machine_is_slower_now_is_divided_out(space, table):
    figures = check(table, space, Slower(), archs=30)
    assert figures["speed_change"] == pytest.approx(0.5, abs=0.02)
    assert figures["mape"] < 0.02 and figures["mape_as_run"] == pytest.approx(1 / 3, abs=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("state", ["steady", "interrupted"])
def test_a_prediction_and_its_measurement_are_the_same_quantity(tmp_path, state):
    """Same estimator and same state: what the first run after other work pays is in both, or in neither."""
    device, space = partial(Fake, Behaviour(noise=0.003, cold_ms=0.3)), get_space("tiny", [12])
    made = make(space, tmp_path / "t.json", device(), Options(state=state), plan=BuildPlan(passes=1, networks=54))
    figures = check(made, space, device(), archs=20)
    assert (figures["state"], figures["estimator"]) == (state, made.provenance["estimator"])
    assert {b["state"] for b in made.observations["batches"]} == {state}
    assert figures["mape"] < 0.02 and abs(figures["bias"]) < 0.01


@pytest.mark.slow
def test_verify_refuses_another_fingerprint(space, table):
    other = replace(table, fingerprint=replace(table.fingerprint, device="another", runtime_version="0"))
    again = partial(check, space=space, archs=4)
    with pytest.raises(FingerprintMismatch, match=r"device: simulated device here, another there; runtime_version"):
        again(other)
    assert again(other, force=True)["networks"] == 4
    with pytest.raises(TableError, match="estimated"):
        again(replace(table, fingerprint=None, status="estimated"))
    with pytest.raises(BadInput):
        check(table, space, archs=1)


def test_verify_remarks_on_a_machine_in_another_state():
    quiet = {"speed_change": -0.03, "background_load_cores": 0.1, "contended_fraction": 0.05}
    assert remarks(quiet) == []
    faster, busy, shared = remarks({"speed_change": -0.064, "background_load_cores": 0.98, "contended_fraction": 0.4})
    assert "6% faster than in the quick moments of the build" in faster
    assert "1.0 cores" in busy and "40% of the blocks" in shared
    assert "5% slower" in remarks(quiet | {"speed_change": 0.05})[0]
