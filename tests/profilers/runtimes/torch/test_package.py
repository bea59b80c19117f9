"""torch's engine format: what lies beside a package, where it is refused, and what opens it. Nothing is compiled."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from profilers.base import Options, Status, TorchModel
from profilers.errors import BadInput, EngineUnavailable, FingerprintMismatch
from profilers.registry import get_profiler
from profilers.runtimes.torch.runtime import Torch
from profilers.session import default_feeds
from tests.profilers import models
from tests.profilers.runtimes.torch.packages import uncompiled  # noqa: F401  a fixture

pytestmark = pytest.mark.usefixtures("uncompiled")

TORCH = get_profiler("torch")


@pytest.fixture
def package(tmp_path):
    assert TORCH.compile(models.chain(), Options(threads=2), (), tmp_path) == ["model.pt2", "model.json"]
    return tmp_path / "model.pt2"


def test_the_manifest_says_what_it_is_and_where_it_runs(package, uncompiled):  # noqa: F811
    made = json.loads(package.with_suffix(".json").read_text())
    assert (made["runtime"], made["torch"]) == ("torch", torch.__version__)
    assert (made["threads"], made["precision"], made["channels_last"]) == (2, "fp32", True)
    assert made["capability"] == torch.backends.cpu.get_cpu_capability() and made["device"]
    assert made["inputs"] == [{"name": "input", "shape": [1, 3, 12, 12], "dtype": "float32"}]
    assert [x["name"] for x in made["outputs"]] == ["output"] and made["bytes"] == package.stat().st_size
    ((example,),) = uncompiled.values()
    assert example.is_contiguous(memory_format=torch.channels_last)


def test_an_opened_package_computes_what_the_network_does(package):
    with TORCH.open(package, Options(threads=2)) as found, TORCH.load(models.chain()) as network:
        feeds = default_feeds(found.inputs)
        assert np.allclose(found.run_on(feeds)["output"], network.run_on(feeds)["output"], atol=1e-5)
        assert found.values["input"].is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("field", ["torch", "device", "capability", "runtime"])
def test_a_package_of_another_place_is_refused_unread(package, field, monkeypatch):
    path = package.with_suffix(".json")
    path.write_text(json.dumps({**json.loads(path.read_text()), field: "another"}))
    monkeypatch.setattr("profilers.runtimes.torch.aot.open_package", lambda path: pytest.fail("it was loaded"))
    with pytest.raises(FingerprintMismatch, match=rf"{field}: .* here, another there.*--rebuild") as caught:
        TORCH.open(package, Options())
    assert "\n" not in str(caught.value)


def test_a_changed_package_is_refused_unread(package, monkeypatch):
    package.write_bytes(b"changed")
    monkeypatch.setattr("profilers.runtimes.torch.aot.open_package", lambda path: pytest.fail("it was loaded"))
    with pytest.raises(BadInput, match=r"SHA-256 differs.*--rebuild"):
        TORCH.open(package, Options())


def test_a_manifest_of_another_form_is_refused(package):
    package.with_suffix(".json").write_text('{"kind": "hwnas-engine"}')
    with pytest.raises(BadInput, match="a package's manifest"):
        TORCH.open(package, Options())


@pytest.mark.parametrize(
    ("options", "gpus", "words"),
    [
        (Options(), ("sm86",), "target sm86 on torch; allowed: none: it compiles for what is at hand"),
        (Options(optimization="eager"), (), "an engine of torch at the level eager; allowed: aot"),
        (Options(precision="int8"), (), "precision 'int8' on torch"),
    ],
)
def test_what_no_package_can_be_is_refused(tmp_path, options, gpus, words):
    with pytest.raises(BadInput, match=words):
        TORCH.compile(models.chain(), options, gpus, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_onnx_of_others_needs_its_module(tmp_path):
    with pytest.raises(BadInput, match="that hwnas did not write"):
        TORCH.compile(models.tokens(), Options(), (), tmp_path)


class Pair(nn.Module):
    """Two inputs of unlike kinds, two outputs."""

    def forward(self, values, scale):
        return {"scaled": values * scale, "sum": values.sum(1)}


def test_a_users_module_keeps_its_layout_and_has_the_names_that_are_given(tmp_path):
    feeds = {"values": np.ones((1, 2, 3, 3), np.float32), "scale": np.full((1,), 3, np.int64)}
    TORCH.compile_module(TorchModel(Pair().eval(), feeds, ("a", "b")), Options(), (), tmp_path)
    made = json.loads((tmp_path / "model.json").read_text())
    assert not made["channels_last"] and [x["name"] for x in made["outputs"]] == ["a", "b"]
    with TORCH.open(tmp_path / "model.pt2", Options()) as session:
        found = session.run_on(feeds)
    assert np.array_equal(found["a"], 3 * feeds["values"]) and found["b"].shape == (1, 3, 3)


@pytest.fixture
def alone(package, monkeypatch):
    """Carries out run.py's part; gives its `run`."""
    import torch._inductor

    from profilers.runtimes.torch import aot

    def load(path):
        return SimpleNamespace(loader=SimpleNamespace(boxed_run=lambda tensors: aot.open_package(package)(*tensors)))

    monkeypatch.setattr(torch._inductor, "aoti_load_package", load)
    before = torch.get_num_threads()

    def start(profiler=TORCH):
        import logging

        part, names = profiler.loader("model.pt2", Options()), {"here": package.parent}
        monkeypatch.setattr(logging, "disable", lambda level: None)
        exec(f"import {part.imports}\n{part.load}", names)
        return names["run"]

    yield start
    torch.set_num_threads(before)


def test_run_py_answers_as_the_session(alone, package):
    feeds = {"input": np.random.default_rng(0).standard_normal((1, 3, 12, 12)).astype(np.float32)}
    with TORCH.open(package, Options()) as session:
        assert np.allclose(alone()(feeds)["output"], session.run_on(feeds)["output"], atol=1e-6)


@pytest.mark.parametrize(("field", "value"), [("torch", "1.0"), ("capability", "AVX9000")])
def test_run_py_refuses_another_torch_or_processor(alone, package, field, value):
    path = package.with_suffix(".json")
    path.write_text(json.dumps({**json.loads(path.read_text()), field: value}))
    with pytest.raises(RuntimeError, match=rf"model.pt2 is for torch .*{value}.*; here is torch .* on "):
        alone()


def test_without_a_gpu_no_package_for_one_is_compiled(tmp_path):
    profiler = get_profiler("torch-cuda")
    if profiler.status().available:
        pytest.skip("there is a GPU")
    with pytest.raises(EngineUnavailable):
        profiler.compile(models.chain(), Options(), (), tmp_path)


def test_the_loader_of_a_machine_without_torch_can_be_written(monkeypatch):
    monkeypatch.setattr(Torch, "status", lambda self: Status(False, reason="none"))
    assert TORCH.loader("model.pt2", Options()).needs == "torch unknown"
