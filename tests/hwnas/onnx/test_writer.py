from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from hwnas.nets import Network, fold
from hwnas.onnx.writer import write_onnx
from hwnas.space import SPACES, get_space
from profilers.errors import BadInput
from profilers.onnx.node_names import layer_of, node_name


def run(model: bytes, images: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return session.run(None, {"input": images})[0]


def with_statistics(network: Network, images: np.ndarray, seed: int) -> Network:
    """BatchNorm that does something: statistics of these images, and affine parameters away from 1 and 0."""
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
            module.weight.data.uniform_(0.5, 1.5, generator=generator)
            module.bias.data.normal_(0, 0.1, generator=generator)
    with torch.no_grad():
        network.train()(torch.from_numpy(images))
    return network.eval()


@pytest.mark.parametrize(
    "name", [n if n == "tiny" else pytest.param(n, marks=pytest.mark.slow) for n in sorted(SPACES)]
)
def test_parity_with_torch(name):
    """Random networks and the extremes, at the smallest and the largest resolution, batches of 1 and 3."""
    space = get_space(name)
    genes = space.sample(20 if name == "tiny" else 6, np.random.default_rng(5))
    genes[::2, 0], genes[1::2, 0] = 1, len(space.resolutions)
    for i, arch in enumerate([*space.decode(genes), *space.extremes()]):
        layers = space.layers(arch)
        images = np.random.default_rng(i).standard_normal((3, space.in_channels, arch.r, arch.r), dtype=np.float32)
        network = with_statistics(Network(layers, seed=i), images, i)
        with torch.no_grad():
            expected = network(torch.from_numpy(images)).numpy()
        model = onnxruntime.InferenceSession(write_onnx(layers, fold(network), batch=None))
        for n in (3, 1):
            got = model.run(None, {"input": images[:n]})[0]
            assert np.abs(got - expected[:n]).max() < 1e-4 * np.abs(expected[:n]).max()


@pytest.mark.parametrize("name", sorted(SPACES))
def test_the_graph_is_valid_named_and_counts_its_parameters(name):
    space = get_space(name)
    layers = space.layers(space.extremes()[1])
    model = onnx.load_model_from_string(write_onnx(layers, metadata={"space": name}))
    onnx.checker.check_model(model, full_check=True)
    assert model.opset_import[0].version >= 18
    assert {layer_of(node.name) for node in model.graph.node} == set(range(len(layers)))
    assert all(out == node.name for node in model.graph.node[:-1] for out in node.output)
    weights = sum(int(np.prod(t.dims)) for t in model.graph.initializer if len(t.dims) > 1)
    expected = sum(c.params - c.out_channels * (2 * c.bn + c.bias) for layer in layers for c in layer.convolutions)
    assert weights == expected
    assert {p.key: p.value for p in model.metadata_props} == {"space": name}


def test_dynamic_batch_takes_any():
    space = get_space("tiny")
    arch = space.extremes()[0]
    model = write_onnx(space.layers(arch), batch=None)
    for n in (1, 5):
        assert run(model, np.zeros((n, 1, arch.r, arch.r), np.float32)).shape == (n, 10)


def test_single_layers_and_runs_of_layers_can_be_written():
    space = get_space("mbv3", [64])
    layers = space.layers(space.extremes()[1])
    for i, layer in enumerate(layers):
        shape = (1, layer.in_channels) if layer.kind == "linear" else (1, layer.in_channels, layer.size, layer.size)
        got = run(write_onnx([layer]), np.ones(shape, np.float32))
        assert got.shape[1] == layer.out_channels, i
        assert np.isfinite(got).all()
    assert run(write_onnx(layers[:3]), np.ones((1, 3, 64, 64), np.float32)).shape == (1, 24, 16, 16)


def test_random_weights_are_the_same_for_the_same_network():
    layers = get_space("tiny").layers(get_space("tiny").extremes()[1])
    assert write_onnx(layers) == write_onnx(layers)


@pytest.mark.parametrize("name", sorted(SPACES))
def test_the_file_is_what_protobuf_itself_would_write_but_for_the_order_of_fields(name):
    space = get_space(name)
    layers = space.layers(space.extremes()[1])
    data = write_onnx(layers, metadata={"space": name})
    model = onnx.load_model_from_string(data)
    assert len(model.SerializeToString()) == len(data)
    assert [p.value for p in model.metadata_props if p.key == "space"] == [name]
    parts = [node_name(index, c.part) for index, layer in enumerate(layers) for c in layer.convolutions]
    names = [f"{part}_{kind}" for part in parts for kind in ("weight", "bias")]
    assert [t.name for t in model.graph.initializer if not t.name.endswith(("_min", "_max"))] == names
    assert all(len(t.raw_data) == 4 * np.prod(t.dims) for t in model.graph.initializer)


def test_misfitting_weights_are_refused():
    space = get_space("tiny")
    layers = space.layers(space.extremes()[0])
    weights = fold(Network(layers))
    with pytest.raises(BadInput, match="no weights for L00_conv"):
        write_onnx(layers, {})
    with pytest.raises(BadInput, match="L00_conv have shape"):
        write_onnx(layers, weights | {"L00_conv": weights["L02_depth"]})
    with pytest.raises(BadInput, match="no layers"):
        write_onnx([])
