"""The static network, the supernet's slices and folding, against the specs and against each other."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from hwnas.nets import Network, Supernet, fold
from hwnas.nets.convolve import _taps, convolve
from hwnas.space import Architecture, Convolution, SearchSpace, get_space
from profilers.errors import BadInput

torch.set_num_threads(1)


def small_space(name: str) -> SearchSpace:
    return get_space(name, None if name == "tiny" else [64, 96], classes=None if name == "tiny" else 12)


@pytest.fixture(params=["tiny", "mbv3", "mbv3-w1.2"], scope="module")
def supernet(request) -> Supernet:
    supernet = Supernet(small_space(request.param), seed=3).eval()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():  # statistics, norms and matrices as if trained, so that a wrong slice cannot go unseen
        for name, value in [*supernet.named_parameters(), *supernet.named_buffers()]:
            if name.endswith("running_var") or "norm.weight" in name:
                value.uniform_(0.5, 1.5, generator=generator)
            elif value.ndim == 1:
                value.normal_(0, 0.1, generator=generator)
            elif name.endswith("matrix"):
                value.add_(torch.randn(value.shape, generator=generator) * 0.05)
    return supernet


def archs(space: SearchSpace, n: int = 4):
    return [*space.extremes(), *space.decode(space.sample(n, np.random.default_rng(7)))]


def images(space: SearchSpace, arch, n: int = 2) -> torch.Tensor:
    return torch.randn(n, space.in_channels, arch.r, arch.r, generator=torch.Generator().manual_seed(arch.r))


@pytest.mark.slow
def test_extracted_network_equals_active_slice(supernet):
    for arch in archs(supernet.space):
        x = images(supernet.space, arch)
        with torch.no_grad():
            a, b = supernet(x, arch), supernet.extract(arch)(x)
        assert a.shape == (2, supernet.space.classes)
        assert (a - b).abs().max() / a.abs().max() < 1e-5


def test_training_gives_the_same_logits_and_updates_running_statistics_in_the_slice_only(supernet):
    arch, _ = supernet.space.extremes()
    x = images(supernet.space, arch, 4)
    network = supernet.extract(arch).train()
    norm = supernet.slots[0].part("expand").norm
    used, before = network.layers[2].expand.norm.num_features, norm.running_mean.clone()
    supernet.train()
    a, b = supernet(x, arch), network(x)
    supernet.eval()
    assert (a - b).abs().max() / a.abs().max() < 1e-5
    assert torch.allclose(norm.running_mean[:used], network.layers[2].expand.norm.running_mean, atol=1e-6)
    assert not torch.equal(norm.running_mean[:used], before[:used])
    assert torch.equal(norm.running_mean[used:], before[used:])


def test_parameters_are_those_of_the_specs(supernet):
    space = supernet.space
    for arch in archs(space):
        specs = space.layers(arch)
        network = Network(specs, arch)
        assert sum(p.numel() for p in network.parameters()) == sum(s.params for s in specs)
        for spec, layer in zip(specs, network.layers, strict=True):
            assert [name for name, _ in layer.named_children()] == [c.part for c in spec.convolutions]
            assert [tuple(u.conv.weight.shape) for u in layer.children()] == [c.weight_shape for c in spec.convolutions]


def test_every_parameter_of_the_supernet_gets_a_gradient_from_covering_networks():
    supernet = Supernet(get_space("tiny"))
    for arch in supernet.space.cover(16, np.random.default_rng(0)):
        supernet(images(supernet.space, arch), arch).square().sum().backward()
    missing = [n for n, p in supernet.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert missing == []


def test_identity_matrices_make_smaller_kernels_the_centre_of_larger_ones():
    supernet = Supernet(get_space("tiny"))
    small, large = supernet.space.extremes(16)
    first = 2  # index of the first searched layer
    a, b = (supernet.extract(x).layers[first].depth.conv.weight for x in (small, large))
    assert torch.equal(a, b[: len(a), :, 2:5, 2:5])


def test_fold_removes_batch_norm(supernet):
    arch = supernet.space.extremes()[0]
    network = supernet.extract(arch).eval()
    folded = fold(network)
    specs = network.specs
    assert list(folded) == [f"L{i:02d}_{c.part}" for i, s in enumerate(specs) for c in s.convolutions]
    conv = specs[0].convolutions[0]
    x = images(supernet.space, arch)
    w, b = (torch.from_numpy(v) for v in folded["L00_conv"])
    got = F.hardswish(F.conv2d(x, w, b, conv.stride, conv.kernel // 2))
    with torch.no_grad():
        assert (got - network.layers[0](x)).abs().max() < 1e-5
    for name, (w, b) in folded.items():
        assert w.dtype == b.dtype == np.float32 and w.shape[0] == b.shape[0], name


def test_dropout_acts_in_training_only():
    space = get_space("tiny")
    arch = space.extremes(16)[0]
    network = Network(space.layers(arch), arch, dropout=0.5)
    x = images(space, arch, 8)
    assert torch.equal(network.eval()(x), network(x))
    network.train()
    assert not torch.equal(network(x), network(x))


def test_an_architecture_of_another_space_is_refused():
    supernet = Supernet(small_space("mbv3"))
    with pytest.raises(BadInput, match="depth 1 is not in space mbv3"):
        supernet.extract(Architecture((1,) * 5, (3,) * 5, (3,) * 5, 64))
    with pytest.raises(BadInput, match="3 stages"):
        supernet.extract(get_space("tiny").extremes()[0])


def test_weights_depend_on_the_seed_alone():
    space = get_space("tiny")
    a, b, c = (Supernet(space, seed=s).state_dict() for s in (0, 0, 1))
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert not torch.equal(a["stem.conv.conv.weight"], c["stem.conv.conv.weight"])


@pytest.mark.parametrize(("size", "kernel", "stride"), [(1, 3, 1), (2, 7, 1), (4, 7, 2), (5, 7, 1), (3, 5, 2)])
def test_the_short_cut_for_large_depthwise_kernels_is_the_convolution(size, kernel, stride):
    c = Convolution("depth", size, 6, 6, kernel, stride, groups=6)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(3, 6, size, size, generator=generator, requires_grad=True)
    weight = torch.randn(6, 1, kernel, kernel, generator=generator, requires_grad=True)
    results = []
    for y in (convolve(x, weight, None, c), F.conv2d(x, weight, None, stride, kernel // 2, groups=6)):
        results.append((y, *torch.autograd.grad(y.square().sum(), (x, weight))))
    for ours, theirs in zip(*results, strict=True):
        assert ours.shape == theirs.shape and torch.allclose(ours, theirs, atol=1e-4, rtol=1e-4)


def test_training_works_after_validating_in_the_same_process():
    _taps.cache_clear()
    supernet = Supernet(get_space("tiny"))
    arch = supernet.space.extremes(supernet.space.resolutions[0])[1]
    images = torch.zeros(2, 1, arch.r, arch.r)
    with torch.inference_mode():
        supernet.eval()(images, arch)
    supernet.train()(images, arch).sum().backward()
