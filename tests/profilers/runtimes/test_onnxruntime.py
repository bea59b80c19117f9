"""How ONNX Runtime's profile is read."""

from __future__ import annotations

import pytest
from onnx import TensorProto, helper

from hwnas.testing.models import model
from profilers.base import Options
from profilers.registry import get_profiler
from profilers.runtimes import onnxruntime as ort
from tests.profilers import models


def node(name: str, op: str, microseconds: int, start: int) -> dict:
    return {"cat": "Node", "name": f"{name}_kernel_time", "ts": start, "dur": microseconds, "args": {"op_name": op}}


def end(start: int) -> dict:
    return {"cat": "Session", "name": "SequentialExecutor::Execute", "ts": start, "dur": 1, "args": {}}


def test_layout_nodes_are_attributed_to_the_next_named_node_and_at_the_end_to_the_last():
    events = [
        {"cat": "Session", "name": "session_initialization", "dur": 99, "args": {}},
        node("ReorderInput", "ReorderInput", 10, 1), node("L00_conv_nchwc", "Conv", 100, 12),
        node("L01_act", "Mul", 20, 113), node("ReorderOutput_token_3", "ReorderOutput", 7, 134), end(0),
        node("L00_conv_nchwc", "Conv", 50, 151), end(150),
    ]  # fmt: skip
    first, second = ort.parse_trace(events)
    half = 0.0005  # a truncated microsecond loses half of one on average
    assert first == pytest.approx({"L00_conv": 0.110 + 2 * half, "L01_act": 0.027 + 2 * half})
    assert second == pytest.approx({"L00_conv": 0.050 + half})


@pytest.mark.parametrize("level", ["disable", "basic", "extended", "all"])
def test_keeps_the_layers_names_at_every_optimization_level(level):
    model, layers = models.tiny()
    with get_profiler("onnxruntime").load(model, Options(optimization=level), traced=True) as session:
        session.run()
        assert {int(name[1:3]) for name in session.node_times()[0]} == set(range(layers))


def test_leaves_no_trace_files_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for read in (True, False):
        with get_profiler("onnxruntime").load(models.chain(), traced=True) as session:
            session.run()
            if read:
                session.node_times()
        assert list(tmp_path.iterdir()) == []


def test_the_inside_of_a_node_is_that_nodes():
    value, make = helper.make_tensor_value_info, helper.make_node
    branches = {
        name: helper.make_graph(
            [make(op, ["x"], ["y"], name=f"in_{op}"), make("Exp", ["y"], [f"y_{op}"], name=f"exp_{op}")],
            op, [], [value(f"y_{op}", TensorProto.FLOAT, [1, 1000])],
        )
        for name, op in (("then_branch", "Relu"), ("else_branch", "Neg"))
    }  # fmt: skip
    nodes = [make("Abs", ["x"], ["a"], name="abs"), make("If", ["c"], ["z"], name="branch", **branches)]
    nodes.append(make("Add", ["a", "z"], ["sum"], name="add"))
    inputs = [value("x", TensorProto.FLOAT, [1, 1000]), value("c", TensorProto.BOOL, [])]
    graph = helper.make_graph(nodes, "g", inputs, [value("sum", TensorProto.FLOAT, [1, 1000])])
    with get_profiler("onnxruntime").load(model(graph), traced=True) as session:
        for _ in range(3):
            session.run()
        times = session.node_times()
        assert len(times) == 3 and all(set(run) == {"abs", "branch", "add"} for run in times)
