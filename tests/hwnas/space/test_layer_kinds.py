"""A kind of layer is one function: counts, torch, the supernet, ONNX, the roofline and tables all follow from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from hwnas.nets import Network, Supernet, fold
from hwnas.onnx.writer import write_onnx
from hwnas.space import LayerSpec, SearchSpace, get_space, register_kind
from hwnas.space.layer import KINDS
from lut.estimate.kernels import kernels
from lut.estimate.roofline import estimate
from lut.formats import get_format
from profilers.errors import BadInput
from profilers.onnx.node_names import layer_of
from profilers.onnx.operations import Convolution, Operation, Skip

torch.set_num_threads(1)
LAYER = LayerSpec("dense", 16, 8, 8, kernel=3, expand=4, mid=32, act="hswish", skip=True)


def dense(spec: LayerSpec) -> Iterator[Operation]:
    """Fused inverted bottleneck: a full kxk expand, 1x1 project, skip (EfficientNetV2, section 3.1)."""
    shape = spec.size, spec.in_channels, spec.mid, spec.kernel, spec.stride
    expand = Convolution("expand", *shape, eps=spec.eps, act=spec.act)
    yield expand
    yield Convolution("project", expand.out, spec.mid, spec.out_channels, eps=spec.eps)
    if spec.skip:
        yield Skip(expand.out, spec.out_channels)


@pytest.fixture(autouse=True)
def _registered():
    register_kind("dense", dense)
    yield
    del KINDS["dense"]


@pytest.fixture
def space() -> SearchSpace:
    """`tiny` with dense layers in its first two stages."""
    tiny = get_space("tiny")
    stages = [replace(s, kind="dense", se=False) if i < 2 else s for i, s in enumerate(tiny.stages)]
    return replace(tiny, name="dense-tiny", stages=tuple(stages))


def with_statistics(network: torch.nn.Module) -> None:
    """BatchNorm that does something."""
    generator = torch.Generator().manual_seed(1)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            for value, low in ((module.running_mean, -0.5), (module.running_var, 0.5), (module.weight.data, 0.5)):
                value.uniform_(low, 1.5, generator=generator)


def test_counts_by_hand():
    assert LAYER.params == 8 * 32 * 9 + 2 * 32 + 32 * 8 + 2 * 8
    assert LAYER.madds == 16 * 16 * (8 * 32 * 9 + 32 * 8)
    assert (LAYER.out, replace(LAYER, stride=2, skip=False).out) == (16, 8)


def test_its_table_key_tells_every_choice_apart():
    assert LAYER.key == "dense-16x16x8-16x16x8-k3-s1-hswish-e4-m32-se0-skip1"
    others = [replace(LAYER, **{k: v}) for k, v in {"kernel": 5, "act": "relu", "mid": 24, "skip": False}.items()]
    assert len({layer.key for layer in [LAYER, *others]}) == 5


def test_parity_of_onnx_with_torch(space):
    for arch in space.decode(space.sample(3, np.random.default_rng(0))):
        network = Network(space.layers(arch), arch).eval()
        with_statistics(network)
        images = torch.randn(2, 1, arch.r, arch.r)
        model = write_onnx(network.specs, fold(network), batch=2)
        got = onnxruntime.InferenceSession(model).run(None, {"input": images.numpy()})[0]
        with torch.no_grad():
            expected = network(images).numpy()
        assert np.abs(got - expected).max() < 1e-4 * np.abs(expected).max()
        assert sum(p.numel() for p in network.parameters()) == sum(spec.params for spec in network.specs)


def test_its_nodes_are_attributed_to_its_layer(space):
    arch = space.extremes()[1]
    names = [n.name for n in onnx.load_model_from_string(write_onnx(space.layers(arch))).graph.node]
    assert {layer_of(name) for name in names} == set(range(len(space.layers(arch))))
    assert [name for name in names if layer_of(name) == 3] == [
        "L03_expand",
        "L03_expand_act",
        "L03_project",
        "L03_skip",
    ]


def test_the_supernet_holds_its_kernels_and_widths(space):
    supernet = Supernet(space).eval()
    assert [name for name, _ in supernet.slots[0].named_parameters() if "matrix" in name] == [
        "expand.7to5_matrix", "expand.5to3_matrix"
    ]  # fmt: skip
    with_statistics(supernet)
    for arch in space.decode(space.sample(3, np.random.default_rng(1))):
        images = torch.randn(2, 1, arch.r, arch.r)
        with torch.no_grad():
            assert torch.allclose(supernet(images, arch), supernet.extract(arch)(images), rtol=1e-4, atol=1e-5)


def test_the_roofline_has_its_kernels(space):
    found = kernels(LAYER, batch=2)
    assert [k.kind for k in found] == ["pointwise", "bn", "act", "pointwise", "bn", "residual"]
    assert sum(k.macs for k in found) == 2 * LAYER.madds
    table = estimate(space, "T4", 2)
    assert {layer.key for layer in space.all_layers()} <= set(table.entries)
    genes = space.sample(5, np.random.default_rng(2))
    assert (table.bind(space).predict(genes).ms > 0).all()


def test_spaces_with_it_have_a_signature_of_their_own(space):
    others = [get_space("tiny"), replace(space, stages=tuple(replace(s, kind="mbconv") for s in space.stages))]
    assert space.signature not in {other.signature for other in others}


def test_published_formats_have_no_name_for_it(space):
    with pytest.raises(BadInput, match=r"a layer dense-.*allowed: inverted bottlenecks"):
        get_format("ofa").names(space, 12)


def test_kinds_are_named_once_and_must_be_known():
    with pytest.raises(BadInput, match="a second kind of layer 'dense'"):
        register_kind("dense", dense)
    with pytest.raises(BadInput, match="a kind of layer 'a b'"):
        register_kind("a b", dense)
    with pytest.raises(BadInput, match="unknown kind of layer 'gru'; allowed: conv, mbconv, fused, pool, linear"):
        replace(LAYER, kind="gru").graph()
    with pytest.raises(BadInput, match="kind of a stage's layers 'gru'"):
        replace(get_space("tiny").stages[0], kind="gru")


def test_a_foreign_network_is_redense_in_one_line():
    with pytest.raises(BadInput, match="a Sequential; allowed: a Network of layer specs"):
        fold(torch.nn.Sequential())
