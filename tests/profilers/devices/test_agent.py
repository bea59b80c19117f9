"""The agent over a local process: on an old Python, its sessions, its errors, its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from profilers.base import Options, Samples, TimingPlan
from profilers.devices import elsewhere
from profilers.devices.connection import Connection
from profilers.devices.faults import DeviceBusy, LinkLost
from profilers.devices.hosts import place_at
from profilers.devices.package import modules, package
from profilers.devices.remote import remote_profilers
from profilers.devices.transport import LocalTransport
from profilers.errors import BadInput, MeasurementFailed
from profilers.runtimes.fake import Fake
from profilers.runtimes.onnxruntime import OnnxRuntime
from profilers.timing.fingerprint import fingerprint
from profilers.timing.measurement import measuring
from tests.profilers.devices.conftest import agents, left_behind
from tests.profilers.devices.pythons import local, old_python
from tests.profilers.models import chain

pytestmark = pytest.mark.slow
PLAN = TimingPlan(min_rounds=5, max_rounds=5, warmup_runs=2)


def profiler(name="fake", python=sys.executable):
    (found,) = remote_profilers(place_at(local(python)), name)
    return found


def test_the_package_is_the_same_whenever_it_is_made():
    first = package()
    package.cache_clear()
    assert package() == first
    assert len(first.data) < 200_000


def test_its_modules_import_the_standard_library_numpy_and_the_runtimes_only():
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import profilers.devices.agent, profilers.runtimes.onnxruntime, "
    )
    code += "profilers.runtimes.openvino; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-I", "-c", code, Path.cwd()], capture_output=True, text=True, check=True)
    own = {name for name in loaded.stdout.split() if name.startswith("profilers")}
    assert own <= {*modules(), "profilers"}
    foreign = {name.split(".")[0] for name in loaded.stdout.split()} - {*sys.stdlib_module_names, "profilers", "numpy"}
    assert {name for name in foreign if not name.startswith("_")} <= {"cython_runtime", "sitecustomize"}


def test_an_old_python_with_numpy_and_onnxruntime_only(device):
    """Times, nodes and outputs are those of the runtime, and the package is sent once."""
    python = old_python()
    ort = profiler("onnxruntime", python)
    assert ort.status().available and ort.supported_precisions() == ("fp32", "int8")
    found = fingerprint(ort, Options())
    assert (found.runtime, found.python[:4], found.device) == ("onnxruntime", "3.9.", found.cpu)
    with (
        measuring(Options(), place=ort.place) as bench,
        ort.load(chain()) as plain,
        ort.load(chain(), traced=True) as traced,
    ):
        group = bench.time({"plain": plain, "traced": traced}, PLAN)
        nodes, details = traced.node_times(), traced.node_details()
        feeds = {name: np.ones(t.shape, t.dtype) for name, t in plain.inputs.items()}
        outputs = plain.run_on(feeds)
    assert group.failed == {} and group.measured["plain"].samples.rounds == 5
    with OnnxRuntime().load(chain()) as here, OnnxRuntime().load(chain(), traced=True) as traced_here:
        for name, values in here.run_on(feeds).items():
            np.testing.assert_allclose(outputs[name], values, rtol=1e-4, atol=1e-5)
        traced_here.run()
        assert set(nodes[0]) == set(traced_here.node_times()[0])
        assert set(details) == set(traced_here.node_details())
    kept = list((device / "cache/hwnas").iterdir())
    assert [path.name for path in kept] == [package().name]
    written = kept[0].stat().st_mtime_ns
    Connection(LocalTransport(), python).close()
    assert kept[0].stat().st_mtime_ns == written


def test_what_is_timed_is_what_is_timed_here():
    """The simulated device's times follow from a formula: they are the same wherever it runs."""
    found = []
    for runtime in (profiler(), Fake()):
        load = partial(runtime.load, chain())
        with measuring(Options(), [load], place=runtime.place) as bench, bench.loaded({"a": load}) as sessions:
            bench.learn(sessions, PLAN)
            found.append(bench.time(sessions, PLAN))
    assert found[0].measured["a"].ms == found[1].measured["a"].ms
    assert found[0].controls_ms == found[1].controls_ms
    assert isinstance(found[0].measured["a"].samples, Samples)


def test_errors_are_those_of_the_runtime():
    fake = profiler()
    with pytest.raises(BadInput, match="an ONNX model"):
        fake.load(b"no model")
    with pytest.raises(BadInput, match="threads"), measuring(Options(threads=4096), place=fake.place):
        pass
    with fake.load(chain()) as session, pytest.raises(BadInput, match="inputs nothing"):
        session.run_on({"nothing": np.ones(1)})
    session.close()
    with pytest.raises(MeasurementFailed, match="no session"):
        session.run()
    with pytest.raises(BadInput, match="engine 'tensorflow' on a device elsewhere; allowed: onnxruntime"):
        profiler("tensorflow")
    with pytest.raises(BadInput, match="one that this agent knows"):
        fake.place.ask("reboot")


def test_two_never_measure_at_once_on_one_device():
    first, second = profiler(), elsewhere.Elsewhere(LocalTransport(), sys.executable)
    refused = pytest.raises(DeviceBusy, match=r"being measured on by .*@.* since")
    with measuring(Options(), place=first.place), refused, measuring(Options(), place=second):
        pass
    with measuring(Options(), place=second):
        pass
    second.close()


def test_an_agent_that_ends_takes_nothing_else_with_it(device, monkeypatch, capsys):
    monkeypatch.setattr(elsewhere, "DELAYS", (0, 0.1))
    fake = profiler()
    with measuring(Options(), place=fake.place) as bench:
        done = []

        def unit():
            with bench.loaded({"a": lambda: fake.load(chain())}) as sessions:
                if not done:
                    done.append(os.kill(int(agents(device)[0]), signal.SIGKILL))
                return bench.time(sessions, PLAN)

        assert bench.place.unit(unit).measured["a"].ms > 0
    assert "connecting again" in capsys.readouterr().err


def test_a_link_that_ends_ends_the_agent(device):
    """In the middle of a run that never returns, too."""
    ort = profiler("fake")
    session = ort.load(chain())
    session.connection.tell("time", sessions=[("a", session.number)], plan=TimingPlan(max_rounds=10**9).to_json())
    assert agents(device)
    session.connection.close()
    assert left_behind(device) == []
    with pytest.raises(LinkLost, match=r"the link to local:.* broke"):
        session.run()


def test_work_that_breaks_the_link_each_time_is_given_up(monkeypatch):
    place, done = elsewhere.Elsewhere(LocalTransport()), []
    monkeypatch.setattr(place, "_recover", done.append)

    def work():
        raise LinkLost("the link broke")

    with pytest.raises(LinkLost):
        place.unit(work)
    assert len(done) == elsewhere.ATTEMPTS - 1


def test_an_engine_is_compiled_there_and_loaded_again_after_a_break(device, tmp_path, monkeypatch, capsys):
    """Files are here, so that a break costs the request in work and no more; a start there is measured there."""
    monkeypatch.setattr(elsewhere, "DELAYS", (0, 0.1, 0.5, 1))
    ort = profiler("onnxruntime")
    assert ort.compile(chain(), Options(), (), tmp_path) == ["model.ort"]
    with measuring(Options(), place=ort.place) as bench, ort.open(tmp_path / "model.ort", Options()) as session:
        feeds = {name: np.ones(t.shape, t.dtype) for name, t in session.inputs.items()}
        before = session.run_on(feeds)
        os.kill(int(agents(device)[0]), signal.SIGKILL)
        assert bench.time({"a": session}, PLAN).measured["a"].ms > 0
        os.kill(int(agents(device)[0]), signal.SIGKILL)
        for name, values in session.run_on(feeds).items():
            np.testing.assert_array_equal(values, before[name])
    assert capsys.readouterr().err.count("connecting again") == 2
    found = ort.footprint(tmp_path / "model.ort", Options())
    assert found.load_ms > 0 and found.first_run_ms > 0 and found.peak_mb > found.before_mb > 1
    with pytest.raises(BadInput, match="refuses the model"):
        ort.compile(b"no model", Options(), (), tmp_path)
