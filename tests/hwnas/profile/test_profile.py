from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from hwnas.cli import main
from hwnas.onnx.open_model import open_model
from hwnas.profile.attribute import attribute
from hwnas.profile.candidates import MADE_UP, engines_of, precisions_of
from hwnas.profile.measure import profile_model
from hwnas.profile.page import fragment, page
from hwnas.profile.text import remarks, text
from profilers.base import INTERRUPTED, NodeDetail, Options, Profiler, Status, TimingPlan
from profilers.errors import BadInput, HwnasError, MeasurementFailed
from profilers.onnx.quantise import insert_qdq
from profilers.registry import get_profiler
from profilers.runtimes.fake import EDGE_MS, Behaviour, Fake, FakeSession
from tests.profilers.models import chain
from tests.profilers.onnx.any_models import info, proto, tokens_and_image
from tests.profilers.runtimes.torch.standin import Pretended

QUICK = TimingPlan(min_rounds=3, max_rounds=4, warmup_runs=2, warmup_max_runs=3)
SHAPES = {"tokens": (1, 5), "image": (1, 3, 8, 8)}
EXACT = Behaviour(noise=0, traced_slowdown=1)
EVIL = "<script>alert('x')</script>"


def two_inputs():
    return open_model(tokens_and_image().SerializeToString(), SHAPES)


def matrices(name: str = "product") -> bytes:
    """A model without convolutions."""
    weight = numpy_helper.from_array(np.eye(4, dtype=np.float32), "w")
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"], name=name)]
    return proto(nodes, [info("x", [1, 4])], [info("y", [1, 4])], [weight]).SerializeToString()


def unknown_operator() -> bytes:
    node = helper.make_node("Fancy", ["x"], ["y"], name="fancy", domain="com.example")
    model = proto([node], [info("x", [1, 4])], [info("y", [1, 4])])
    model.opset_import.append(helper.make_opsetid("com.example", 1))
    return model.SerializeToString()


class Refusing(Fake):
    name = "refusing"

    def _load(self, model, options, traced):
        raise BadInput("refusing takes no Conv", "other operators")


class Absent(Fake):
    name = "absent"

    def _status(self):
        return Status(False, reason="absent is not installed", remedy="pip install absent")


class Silent(Fake):
    name = "silent"
    traces = False


def profile(opened, *profilers: Profiler, **options):
    return profile_model(opened, profilers, plan=QUICK, **options)


def test_layers_are_exactly_those_of_the_device():
    opened = two_inputs()
    [found] = profile(opened, Fake(EXACT))
    truth = FakeSession(opened.model.data, Options(), False, Fake(EXACT))
    assert found.ms == pytest.approx(truth.ideal_ms, rel=1e-9)
    assert {layer.name: layer.ms for layer in found.layers.layers} == pytest.approx(truth.nodes, rel=1e-6)
    assert found.layers.unattributed_ms == pytest.approx(EDGE_MS, rel=1e-6)
    assert sum(x.share for x in found.layers.layers) + found.layers.unattributed_share == pytest.approx(1)
    assert found.layers.tracing_slowdown == pytest.approx(0, abs=1e-9)
    assert (found.layers.nodes, found.layers.timed) == (6, 6)


def test_layers_stand_in_the_order_of_the_graph_with_their_operators():
    [found] = profile(two_inputs(), Fake(EXACT))
    assert [(x.name, x.op) for x in found.layers.layers] == [
        ("look_up", "Gather"), ("mean", "ReduceMean"), ("conv", "Conv"), ("pool", "GlobalAveragePool"),
        ("flatten", "Flatten"), ("add", "Add"),
    ]  # fmt: skip


def test_what_tracing_costs_is_said_and_taken_off():
    [found] = profile(open_model(chain(size=64)), Fake(Behaviour(noise=0, traced_slowdown=1.5)))
    layers = found.layers
    assert layers.tracing_slowdown == pytest.approx(0.5, rel=1e-6)
    assert (
        layers.sum_over_whole == pytest.approx(1.5 * (1 - EDGE_MS / found.ms), rel=1e-6) and layers.sum_over_whole > 1
    )
    assert sum(x.ms for x in layers.layers) == pytest.approx(found.ms) and layers.unattributed_ms == pytest.approx(0)
    assert "50 % longer" in str(found) and "shortened to it" in str(found)


def test_on_a_busy_machine_layers_are_shortened_in_proportion_and_it_is_said():
    """Wall times contain other work: they hold in proportion only."""
    names, samples = (
        {"a": "Conv", "k": "Constant", "b": "Relu"},
        profile(open_model(chain()), Fake())[0].measured.samples,
    )
    found = attribute(names, [{"a": 3.0, "b": 1.0}] * 9, {}, replace(samples, clock="cpu", ms=2.4), 2.0, 20.0)
    assert [layer.ms for layer in found.layers] == pytest.approx([15, 5]) and found.sum_over_whole == pytest.approx(2)
    assert not found.by_wall and any("busy" in line for line in remarks(found))
    assert found.tracing_slowdown == pytest.approx(0.2) and (found.nodes, found.timed) == (2, 2)


def test_what_no_onnx_node_explains_is_unattributed():
    samples = profile(open_model(chain()), Fake())[0].measured.samples
    details = {"a": NodeDetail("FusedConv", ("k", "a", "b")), "own": NodeDetail("Reorder")}
    names = {"k": "Constant", "a": "Conv", "b": "Relu"}
    found = attribute(names, [{"a": 3.0, "own": 1.0}] * 9, details, replace(samples, clock="cpu"), 5.0, 5.0)
    [layer] = found.layers
    assert (layer.name, layer.kernel, layer.fused, layer.ms) == ("a", "FusedConv", ("b",), pytest.approx(3))
    assert found.unattributed_ms == pytest.approx(2) and found.unattributed_share == pytest.approx(0.4)
    with pytest.raises(MeasurementFailed, match="no time of any node"):
        attribute(names, [], details, samples, 5.0, 5.0)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_two_inputs_on_a_real_runtime(engine):
    profiler = get_profiler(engine)
    if not profiler.status().available:
        pytest.skip(profiler.status().reason)
    [found] = profile(two_inputs(), profiler)
    assert found.inputs == {"tokens": "1 x 5 int64", "image": "1 x 3 x 8 x 8 float32"}
    layers = {layer.name: layer for layer in found.layers.layers}
    assert "conv" in layers and layers["conv"].op == "Conv" and layers["conv"].kernel
    assert 0 < sum(x.share for x in layers.values()) <= 1 + 1e-9
    assert found.low <= found.ms <= found.high <= 10 * found.p90


def test_fused_nodes_are_named_by_the_layer_that_computes_them():
    [found] = profile(open_model(chain()), get_profiler("onnxruntime"))
    first = next(layer for layer in found.layers.layers if layer.name == "L00_conv")
    assert first.fused == ("L00_act",) and first.fused_ops == ("Relu",) and first.operators == "Conv + Relu"
    assert found.layers.timed == found.layers.nodes == 3


def test_engines_side_by_side_and_their_refusals():
    slow = Fake(replace(EXACT, cold_ms=0.0, noise=0.5))
    slow.name = "slow"
    found = profile(open_model(chain()), Refusing(), slow, Absent(), Fake(EXACT))
    assert [p.engine for p in found] == ["fake", "slow"] and found[0].ms < found[1].ms
    assert list(map(str, found.refused)) == [
        "absent: absent is not installed; try: pip install absent",
        "refusing fp32: refusing takes no Conv; allowed: other operators",
    ]
    shown = str(found)
    assert "not measured: refusing fp32: refusing takes no Conv" in shown and "x fastest" in shown


def test_one_that_fails_while_it_is_timed_is_no_end():
    failing = Fake(Behaviour(fail_after=4))
    failing.name = "failing"
    found = profile(open_model(chain()), failing, Fake(EXACT))
    assert [p.engine for p in found] == ["fake"]
    assert "the simulated device fails after 4 runs" in found.refused[0].reason


def test_nothing_that_can_be_measured_is_an_error_of_one_line():
    with pytest.raises(BadInput, match=r"^refusing fp32: refusing takes no Conv"):
        profile(open_model(chain()), Refusing())
    with pytest.raises(BadInput, match=r"no engine can measure this model: absent: .*; refusing fp32: "):
        profile(open_model(chain()), Absent(), Refusing())


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_an_operator_that_the_runtime_lacks(engine):
    profiler = get_profiler(engine)
    if not profiler.status().available:
        pytest.skip(profiler.status().reason)
    with pytest.raises(BadInput, match=f"{engine} fp32: .* refuses the model: .*Fancy") as caught:
        profile(open_model(unknown_operator()), profiler)
    assert "\n" not in str(caught.value)


def test_a_runtime_that_tells_nothing_of_nodes():
    [found] = profile(open_model(chain()), Silent(EXACT))
    assert found.layers is None and found.notes == ("no times of layers: silent has no per-node times",)
    assert found.to_json()["layers"] == [] and found.to_json()["unattributed"] is None
    assert "no times of layers" in str(found) and "no times of layers" in page(profile(open_model(chain()), Silent()))


def test_a_torch_module_is_profiled_by_torch_as_it_is_and_by_others_as_onnx():
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 3)).eval()
    opened = open_model(module, {"": (1, 3, 8, 8)})
    found = {each.engine: each for each in profile(opened, get_profiler("torch"), get_profiler("onnxruntime"))}
    layers = {layer.name: layer.op for layer in found["torch"].layers.layers}
    assert layers == {"0": "Conv2d", "1": "BatchNorm2d", "2": "ReLU", "3": "Flatten", "4": "Linear"}
    assert all(layer.name.startswith("/") for layer in found["onnxruntime"].layers.layers)


@pytest.mark.filterwarnings("ignore:CUDA is not available")
def test_what_a_session_could_not_do_as_it_was_asked_is_a_note():
    module = nn.Sequential(nn.Linear(4, 4)).eval()
    opened = open_model(module, {"": (1, 4)})
    [found] = profile(opened, Pretended("operation not permitted"))
    assert found.notes[0].startswith(
        "launched operator by operator: the network cannot be captured as a CUDA graph: op"
    )
    assert found.notes[1].startswith("no times of layers: torch's profiler shows no kernels")


def test_int8_of_a_float_model_says_that_its_ranges_are_made_up():
    found = profile(open_model(chain()), Fake(EXACT), precisions=["fp32", "int8"])
    int8 = next(p for p in found if p.precision == "int8")
    assert int8.notes == (MADE_UP,) and MADE_UP in text(found)
    with pytest.raises(BadInput, match="int8 of a model of which 0 of 1 products are Conv or Gemm"):
        profile(open_model(matrices()), Fake(), precisions=["int8"])


def test_a_quantised_model_is_measured_as_it_is():
    opened = open_model(insert_qdq(chain()))
    [found] = profile(opened, Fake(EXACT), precisions=precisions_of("", "fake", opened))
    assert found.precision == "int8" and found.notes == ()
    with pytest.raises(BadInput, match="fp32: a model that is quantised; allowed: int8; try: --precision int8"):
        profile(opened, Fake(), precisions=["fp32"])


def test_precisions_and_engines_by_name():
    opened = open_model(chain())
    assert precisions_of("", "fake", opened) == ["fp32"] and precisions_of("", "all", opened) == []
    assert precisions_of("all", "fake", opened) == [] and precisions_of("fp32, int8", "fake", opened) == [
        "fp32",
        "int8",
    ]
    assert "fake" not in {p.name for p in engines_of("all")} and [p.name for p in engines_of("fake")] == ["fake"]
    with pytest.raises(BadInput, match="unknown engine 'onxruntime'"):
        engines_of("onxruntime")
    with pytest.raises(BadInput, match="precision 'fp7' on fake; allowed: fp32, int8"):
        profile(opened, Fake(), precisions=["fp7"])


def test_batch_and_state_are_those_of_the_measurement():
    opened = open_model(tokens_and_image(("batch", 5), ("batch", 3, 8, 8)).SerializeToString(), batch=4)
    [found] = profile(opened, Fake(EXACT), options=Options(state=INTERRUPTED))
    assert found.fingerprint.batch == 4 and found.measured.state == INTERRUPTED
    assert found.to_json()["state"] == INTERRUPTED and found.to_json()["batch"] == 4


def test_json_has_what_the_contract_names_and_is_strict():
    [found] = profile(two_inputs(), Fake(EXACT))
    value = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert {"engine", "precision", "ms", "low", "high", "p90", "layers", "estimator", "fingerprint"} <= set(value)
    assert {"name", "op", "ms", "share"} <= set(value["layers"][0])


def test_names_in_a_model_neither_run_nor_move_the_cursor():
    names = f"{EVIL}\x1b[2J"
    found = profile(replace(open_model(matrices(names)), name=EVIL, about=EVIL), Fake(EXACT))
    for html in (page(found), fragment(found), found._repr_html_(), found[0]._repr_html_()):
        assert "<script" not in html and "&lt;script&gt;" in html
    assert "\x1b" not in str(found) and "\x1b" not in str(found[0])


def test_a_page_groups_layers_by_operator_and_says_where_one_was_fused():
    engines = [Fake(EXACT), get_profiler("onnxruntime")]
    html = page(profile(open_model(chain()), *engines))
    assert html.index("<b>fake fp32</b>") and "in L00_conv" in html and "+ Relu" in html
    assert "<details open>" in html and "unattributed" in html and "src=" not in html and "@import" not in html


def test_one_layer_with_a_long_name_is_cut_at_its_beginning():
    [found] = profile(open_model(matrices("a" * 50 + "/end")), Fake(EXACT))
    assert f"…{'a' * 39}/end" in str(found)


def call(capsys, *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stopped:
        main(list(map(str, arguments)))
    out, err = capsys.readouterr()
    return int(stopped.value.code or 0), out, err


def test_the_command(capsys, tmp_path):
    path = tmp_path / "both.onnx"
    onnx.save(tokens_and_image(), path)
    pins = ("--shape", "tokens=1x5", "--shape", "image=1x3x8x8")
    html = tmp_path / "p.html"
    code, out, err = call(capsys, "profile", path, "--engine", "fake", "--precision", "all", *pins, "--html", html)
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0 and [row["precision"] for row in rows] == ["fp32"]
    assert "not measured: fake int8: int8 of a model with inputs tokens (int64), image" in err
    assert "both: ONNX, opset 18, 6 nodes" in err and str(html) in err.replace("\n", "")
    assert html.read_text("utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize(("arguments", "line"), [
    ([], "try: --shape tokens=1x128 --shape image=1x3x224x224, with your sizes"),
    (["--shape", "tokens"], "allowed: NAME=1x3x224x224"),
    (["--engine", "nope"], "unknown engine 'nope'"),
    (["--state", "hot"], "state 'hot'; allowed: steady, interrupted"),
    (["--threads", "0"], "threads = 0; allowed: 1 or more"),
])  # fmt: skip
def test_what_the_command_refuses(capsys, tmp_path, arguments, line):
    onnx.save(tokens_and_image(), tmp_path / "both.onnx")
    code, out, err = call(capsys, "profile", tmp_path / "both.onnx", "--engine", "fake", *arguments)
    assert (code, out) == (2, "") and line in err and err.count("\n") == 1


def test_a_page_that_cannot_be_written_is_said_before_anything_is_measured(capsys, tmp_path):
    (tmp_path / "m.onnx").write_bytes(chain())
    for html in (tmp_path / "m.onnx" / "p.html", tmp_path):
        code, out, err = call(capsys, "profile", tmp_path / "m.onnx", "--engine", "fake", "--html", html)
        assert (code, out) == (2, "") and "cannot write" in err


def test_inputs_without_numbers_never_reach_a_runtime():
    text_input = proto([helper.make_node("Identity", ["a"], ["b"])], [info("a", [1], TensorProto.STRING)],
                       [info("b", [1], TensorProto.STRING)])  # fmt: skip
    with pytest.raises(HwnasError, match="tensors of numbers"):
        open_model(text_input.SerializeToString())
