"""Known networks: counted as their authors state, measured beside the search's own, and written down."""

from __future__ import annotations

import copy
import csv
import io
import json
import sys
import types
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import onnx
import pytest
import torch

from hwnas.compare import known, paper, render
from hwnas.compare.count import madds, params
from hwnas.compare.measure import OURS, Row, agreement, measure, of_known
from hwnas.export.parity import torch_logits
from hwnas.export.torch_session import torch_session
from hwnas.nets import Network, fold
from hwnas.onnx.writer import write_onnx
from hwnas.space import get_space
from profilers.base import Options, TimingPlan
from profilers.errors import BadInput, MeasurementFailed
from profilers.registry import get_profiler
from profilers.timing.measurement import Measurement

PLAN = TimingPlan(min_rounds=3, max_rounds=4, warmup_runs=1, warmup_max_runs=1)
SPACE = get_space("tiny")


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mobilenet_v3_small", "mnasnet0_5", "resnet18", "shufflenet_v2_x0_5"])
def test_counts_are_those_that_torchvision_states(name):
    made = known.make(name, None)
    assert made.counts.params == made.published.params
    assert made.counts.madds == pytest.approx(made.published.madds, abs=0.5e6 + 1e-3 * made.published.madds)
    assert made.size == made.native == 224 and 40 < made.top1 < 90


def test_counts_are_those_of_the_layers():
    layers = SPACE.layers(SPACE.extremes()[1])
    assert madds(write_onnx(layers, batch=3)) == sum(x.madds for x in layers)
    assert params(Network(layers)) == sum(x.params for x in layers)


@pytest.mark.parametrize("name", ["convnext_tiny", "swin_t", "vit_b_32"])
def test_plain_parameters_are_counted_as_torchvision_states(name):
    from torchvision import models

    with torch.device("meta"):  # sizes without values
        network = models.get_model(name)
    assert params(network) == models.get_model_weights(name).DEFAULT.meta["num_params"]


class Plain(torch.nn.Module):
    """A token and a scale that belong to no layer, and a product of two inputs."""

    def __init__(self):
        super().__init__()
        self.inner = torch.nn.Conv2d(3, 4, 3)
        self.scale, self.token = torch.nn.Parameter(torch.ones(4, 1, 1)), torch.nn.Parameter(torch.ones(1, 4, 5))

    def forward(self, x):
        x = torch.cat([(self.inner(x) * self.scale).flatten(2), self.token.expand(len(x), -1, -1)], 2)
        return torch.einsum("bij,bkj->bik", x, x)


def test_a_known_network_is_counted_with_its_plain_parameters(monkeypatch):
    made = known._known("plain", "timm", Plain(), 10, 2)
    assert made.counts == (4 * 27 + 4 + 4 + 20, 8 * 8 * 4 * 27 + 4 * 4 * (64 + 5))


@pytest.mark.slow
def test_the_size_and_batch_are_as_asked():
    made = known.make("mobilenet_v3_small", 64, 2)
    with get_profiler("onnxruntime").load(made.model, Options(batch=2)) as session:
        assert session.input_shape == (2, 3, 64, 64)
    assert made.counts.madds < known.make("mobilenet_v3_small", 96).counts.madds


@pytest.mark.slow
def test_unknown_and_impossible_networks_are_one_line(monkeypatch):
    with pytest.raises(BadInput, match="try: mobilenet_v3_large"):
        known.make("mobilenetv3_large")
    with pytest.raises(BadInput, match="cannot be exported at 8 px"):
        known.make("alexnet", 8)


def test_writing_a_network_leaves_it_as_it_was():
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Dropout(0.5), torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(4, 2), torch.nn.BatchNorm1d(2),
    )  # fmt: skip
    network[2].eval()  # modes need not be of one kind
    network[0].weight.requires_grad_(False)
    before = copy.deepcopy(network)
    torch.manual_seed(5)
    state = torch.get_rng_state()
    written = known.to_onnx(network, 16, 2)
    assert torch.equal(torch.get_rng_state(), state) and torch.is_grad_enabled()
    assert all(
        torch.equal(x, y) for x, y in zip(network.state_dict().values(), before.state_dict().values(), strict=True)
    )
    assert [m.training for m in network.modules()] == [m.training for m in before.modules()]
    assert [p.requires_grad for p in network.parameters()] == [p.requires_grad for p in before.parameters()]
    assert network[1].momentum == 0.1 and not any(m._forward_pre_hooks for m in network.modules())
    folded = torch.nn.utils.fuse_conv_bn_eval(copy.deepcopy(network[0]).eval(), copy.deepcopy(network[1]).eval())
    kernels = {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load_from_string(written).graph.initializer}
    [kernel] = [value for value in kernels.values() if value.shape == (4, 3, 3, 3)]
    assert np.abs(kernel - folded.weight.detach().numpy()).max() > 0.01  # statistics of noise are in the file


def test_proving_and_timing_leave_a_network_as_it_was():
    network = Network(SPACE.layers(SPACE.extremes()[0]), SPACE.extremes()[0]).train()
    network.layers[1].eval()
    before, images = copy.deepcopy(network), np.zeros((2, 1, 12, 12), np.float32)
    torch_logits(network, images)
    torch_session(network, images.shape, 1).run()
    write_onnx(network.specs, fold(network))
    assert all(
        torch.equal(x, y) for x, y in zip(network.state_dict().values(), before.state_dict().values(), strict=True)
    )
    assert [m.training for m in network.modules()] == [m.training for m in before.modules()]
    assert all(p.requires_grad for p in network.parameters())


def test_timm_is_used_where_it_is_installed(monkeypatch):
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    network.default_cfg = {"input_size": (3, 40, 40)}
    fake = types.ModuleType("timm")
    fake.list_models = lambda: ["mixnet_x"]
    fake.create_model = lambda name, pretrained: network
    fake.__spec__ = types.SimpleNamespace(name="timm")
    monkeypatch.setitem(sys.modules, "timm", fake)
    made = known.make("mixnet_x", None)
    assert (made.source, made.size, made.published) == ("timm", 40, None)
    assert made.counts == (4 * 27 + 4, 38 * 38 * 4 * 27)
    with pytest.raises(BadInput):
        known.make("mixnet_y")


def rows(times, names=("mobilenet_v2", "mobilenet_v3_large", "efficientnet_b0", "efficientnet_b1")):
    return [
        Row(name, "torchvision", 224, 1, 1, Measurement(name, ms, ms, ms), paper_cpu_ms=paper.TABLE[name].cpu_ms)
        for name, ms in zip(names, times, strict=True)
    ]


@pytest.mark.slow
def test_agreement_with_the_paper():
    assert agreement(rows([1, 2, 3, 4])) == (1.0, 4)
    assert agreement(rows([2, 1, 3, 4])) == (pytest.approx(0.8), 4)
    assert agreement([*rows([1, 2, 3, 4]), Row("x", OURS, 1, 1, 1, measured=Measurement("x", 3.0, 3.0, 3.0))])[1] == 4
    assert agreement(rows([1, 2, 3, 4])[:2]) == (None, 2)


def test_the_papers_table_is_as_printed():
    assert {row.cpu_ms for row in paper.TABLE.values()} == {8.3, 9.1, 10.0, 14.4, 24.3, 21.5, 29.4}
    for name in ("mobilenet_v2", "mobilenet_v3_large", "efficientnet_b0"):
        from torchvision.models import get_model_weights

        meta = get_model_weights(name).DEFAULT.meta
        assert meta["num_params"] / 1e6 == pytest.approx(paper.TABLE[name].params_m, rel=0.05)


@pytest.fixture(scope="module")
def found():
    networks = [of_known(known.make("mobilenet_v3_small", 64)), of_known(known.make("mnasnet0_5", 64))]
    layers = SPACE.layers(SPACE.extremes()[0])
    ours = Row("ab<c", OURS, SPACE.extremes()[0].r, 10, 20, top1=91.5)
    broken = replace(ours, name="broken")
    networks += [(ours, write_onnx(layers)), (broken, b"no model")]
    return measure(networks, get_profiler("onnxruntime"), Options(), PLAN)


@pytest.mark.slow
def test_all_are_measured_and_one_that_fails_keeps_its_row(found):
    assert found.rows[0].name == "ab<c" and found.rows[-1].name == "broken"
    assert "refuses the model" in found.rows[-1].failed and found.rows[-1].ms is None
    measured = [row.measured for row in found.rows[:-1]]
    assert all(m.low <= m.ms <= m.high and m.id == row.name for m, row in zip(measured, found.rows, strict=False))
    assert found.fingerprint.runtime == "onnxruntime" and found.clock


@pytest.mark.slow
def test_text_csv_json_and_figure_have_every_network(found):
    table = list(csv.DictReader(io.StringIO(render.to_csv(found))))
    assert [row["name"] for row in table] == [row.name for row in found.rows]
    assert float(table[0]["ms"]) == found.rows[0].ms and table[-1]["ms"] == ""
    text = render.text(found)
    assert all(row.name in text for row in found.rows) and "too few to compare ranks" in text
    assert "* ab<c" in text and "91.50" in text
    assert max(len(line) for line in text.splitlines()[: len(found.rows) + 1]) <= 80
    first, *_, failed = json.loads(json.dumps(found.to_json()))["networks"]
    assert first["top1"] == 91.5 and first["estimator"] == PLAN.estimator and first["state"] == "steady"
    assert failed["ms"] is None and "refuses the model" in failed["failed"]
    picture = ElementTree.fromstring(render.svg(found))
    bars = [e for e in picture.iter() if e.tag.endswith("rect")]
    widths = [float(e.get("width")) for e in bars]
    assert len(bars) == 3 and widths == sorted(widths) and widths[-1] <= render.WIDE


def test_what_cannot_be_compared():
    profiler, options = get_profiler("onnxruntime"), Options()
    one = (Row("a", OURS, 1, 1, 1), write_onnx(SPACE.layers(SPACE.extremes()[0])))
    for networks, changed in (([], options), ([one, one], options), ([one], Options(precision="int8"))):
        with pytest.raises(BadInput, match="one or more, each once"):
            measure(networks, profiler, changed, PLAN)
    with pytest.raises(BadInput, match="precision 'fp8'"):
        measure([one], profiler, Options(precision="fp8"), PLAN)
    with pytest.raises(MeasurementFailed, match="refuses the model"):
        measure([(one[0], b"")], profiler, options, PLAN)


def test_the_papers_other_networks_are_usual_with_timm(monkeypatch):
    monkeypatch.setattr(known, "_has_timm", lambda: False)
    assert known.usual() == known.DEFAULT
    monkeypatch.setattr(known, "_has_timm", lambda: True)
    assert set(known.usual()) == {*known.DEFAULT, *paper.TABLE} and len(known.usual()) == 11


@pytest.mark.parametrize("name", ["mixnet_m", "fbnetc_100"])
def test_timms_networks_have_the_papers_size(name):
    pytest.importorskip("timm")
    made, printed = known.make(name), paper.TABLE[name]
    assert made.counts.params == pytest.approx(1e6 * printed.params_m, rel=0.02)
    assert made.counts.madds == pytest.approx(1e6 * printed.madds_m, rel=0.07)


def test_a_model_of_the_users_stands_beside_the_known_ones(tmp_path):
    from tests.hwnas.export import models

    path = models.save(models.classifier("N"), tmp_path / "mine.onnx")
    found = known.make(str(path), 224, batch=2)
    assert (found.name, found.source, found.size) == ("mine", "given", 16)
    assert found.counts.params == 8 * 27 + 8 * 72 + 8 * 4
    assert found.counts.madds == 7 * 7 * 8 * 27 + 5 * 5 * 8 * 72 + 8 * 4
    result = measure([of_known(found)], get_profiler("onnxruntime"), Options(batch=2), PLAN)
    assert result.rows[0].ms and result.rows[0].source == "given"
    with pytest.raises(BadInput, match=r"batch 2 for a model of batch 1"):
        known.make(str(models.save(models.classifier(1), tmp_path / "fixed.onnx")), 224, batch=2)
