"""weight_bytes and peak_memory against an independent count on the ONNX graph that is written of the same network."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import onnx
import pytest

from hwnas.onnx.writer import write_onnx
from hwnas.search.made_objectives import made
from hwnas.search.memory import peak_memory, weight_bytes
from hwnas.space import get_space
from profilers.errors import BadInput

FUSED = replace(get_space("tiny"), name="fused", ops=("mbconv", "fused"))
SPACES = [get_space("tiny"), FUSED, get_space("mbv3", (160, 224)), get_space("proxyless", (176,))]


def networks(space, n=6, seed=3) -> Iterator[tuple[np.ndarray, onnx.ModelProto]]:
    genes = space.sample(n, np.random.default_rng(seed))
    genes = np.concatenate([space.encode(space.extremes()), genes])
    for row, arch in zip(genes, space.decode(genes), strict=True):
        model = onnx.load_from_string(write_onnx(space.layers(arch)))
        yield row[None], onnx.shape_inference.infer_shapes(model, strict_mode=True)


def constants(model) -> int:
    return sum(onnx.numpy_helper.to_array(tensor).nbytes for tensor in model.graph.initializer)


def live_peak(model) -> int:
    """Bytes of activations at the busiest node: each lives from where it is written to where it is last read."""
    graph = model.graph
    fixed = {tensor.name for tensor in graph.initializer}
    values = [*graph.input, *graph.value_info, *graph.output]
    size = {v.name: 4 * int(np.prod([d.dim_value for d in v.type.tensor_type.shape.dim])) for v in values}
    born = {v.name: -1 for v in graph.input} | {o: i for i, n in enumerate(graph.node) for o in n.output}
    dies = {name: i for i, node in enumerate(graph.node) for name in node.input if name not in fixed}
    alive = lambda i: sum(size[t] for t, b in born.items() if b <= i <= dies.get(t, len(graph.node)))  # noqa: E731
    return max(alive(i) for i in range(len(graph.node)))


@pytest.mark.parametrize("space", SPACES, ids=lambda s: s.name)
def test_they_are_what_the_graph_says(space):
    weights, peak = made(space, weight_bytes()), made(space, peak_memory())
    for genes, model in networks(space):
        assert weights.evaluate(genes)[0] == constants(model)
        assert peak.evaluate(genes)[0] == live_peak(model)


def test_another_precision_is_a_share_of_it():
    space, genes = SPACES[0], SPACES[0].sample(50, np.random.default_rng(0))
    for make in (weight_bytes, peak_memory):
        whole = made(space, make()).evaluate(genes)
        for precision, share in (("fp16", 2), ("bf16", 2), ("int8", 4)):
            objective = made(space, make(precision))
            np.testing.assert_array_equal(objective.evaluate(genes), whole / share)
            assert (objective.unit, objective.note, objective.status) == ("B", precision, "exact")
        with pytest.raises(BadInput, match="precision 'fp8'; allowed: fp32, fp16, bf16, int8"):
            make("fp8")


@pytest.mark.parametrize("make", [weight_bytes, peak_memory])
def test_the_bounds_are_those_of_the_whole_space(make):
    """Every network of a space that is small enough to look at them all."""
    space = replace(SPACES[0], kernels=(3, 5), expands=(3, 6), depths=(1, 2), resolutions=(12, 20))
    objective = made(space, make())
    values = objective.evaluate(space.all_genes())
    assert len(values) == 2 * (4 + 16) ** 3 and (values.min(), values.max()) == (objective.low, objective.high)
