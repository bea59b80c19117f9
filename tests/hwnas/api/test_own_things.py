"""A space, an objective, an accuracy, a surrogate and a runtime of one's own, from Python: objects, and no package.

The objects are those of tests/plugin_package, each a file of at most 25 lines.
"""

from __future__ import annotations

import pytest

import hwnas
from profilers import registry
from profilers.registry import PROFILERS, register
from tests.plugin_package.hwnas_example.accuracy import Saturating
from tests.plugin_package.hwnas_example.objective import energy_uj
from tests.plugin_package.hwnas_example.runtime import Plain
from tests.plugin_package.hwnas_example.space import SMALL

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def device():
    """On a runtime that is forgotten after these tests, as others of this process make one of its name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PROFILERS, "_found", {n: c for n, c in PROFILERS._found.items() if n in PROFILERS.built_in})
        patch.setattr(registry, "_places", dict(registry._places))
        yield hwnas.Device(register(Plain))


@pytest.fixture(scope="module")
def run(tmp_path_factory, device):
    folder = tmp_path_factory.mktemp("own")
    table = device.build_table(SMALL, folder / "table.json", method="isolated", budget_seconds=1)
    return hwnas.search(
        SMALL, Saturating("90", SMALL), objectives=["top1", "params", energy_uj, "plain_ms"],
        tables={"plain_ms": table}, initial=8, iterations=1, per_iteration=4, out=folder / "run",
        surrogate="python:tests.plugin_package.hwnas_example.surrogate:Nearest",
    )  # fmt: skip


def test_the_device_profiles_any_model(device, tmp_path):
    hwnas.Networks.sample(SMALL, n=1)[0].onnx(tmp_path / "n.onnx")
    found = device.profile(tmp_path / "n.onnx")
    assert found.engine == "plain" and found.ms > 0 and found.layers is None


def test_the_search_has_its_own_values(run):
    assert len(run.networks) == 12
    for network in run.networks:
        energy = sum(4.6e-6 * layer.madds + 0.05 for layer in network.layers)
        assert network.objectives["energy_uj"] == pytest.approx(energy)
        assert 0 < network.objectives["top1"] < 90 and network.space.name == "little"


def test_the_chosen_one_ships_on_the_own_runtime(run, tmp_path):
    (chosen,) = run.select("energy_uj<=0.9", n=1)
    engine = chosen.export("plain", tmp_path / "engine", random_weights=True, quick=True)
    assert engine.predicted_ms and engine.validate(quick=True)["parity_max_abs"] < 1e-5


def test_the_report_has_it_without_the_program(run, tmp_path):
    assert "energy_uj" in hwnas.Run(run.folder).report(tmp_path / "r.html").read_text()
