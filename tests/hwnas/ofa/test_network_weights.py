"""Weights that lie beside a net.config, as once-for-all and NSGANetV2 leave them."""

from __future__ import annotations

import pytest
import torch

from hwnas.export.source import open_source
from hwnas.export.source_options import SourceOptions
from hwnas.export.weights import ASSUMED, Wanted
from hwnas.nets import Network
from hwnas.ofa.network_files import read_archs, read_network
from hwnas.ofa.network_weights import read_network_weights, weights_beside
from hwnas.space import get_space
from profilers.errors import BadInput
from tests.hwnas import ofa_cases
from tests.hwnas.net_configs import net_config
from tests.hwnas.ofa.test_net_config import odd_network, put

GAPS = {"odd": (3,), "mbv3": (), "proxyless": ()}


def described(name: str):
    """A net.config and its image size."""
    if name == "odd":
        return odd_network(), 40
    space = get_space(name, [64], classes=4)
    return net_config(space.layers(space.extremes()[0])), 64


@pytest.mark.parametrize(
    ("kind", "name"),
    [("odd", "net.init"), ("mbv3", "init"), ("proxyless", "checkpoint/model_best.pth.tar")],
)
def test_the_weights_beside_are_taken(tmp_path, kind, name):
    path = put(tmp_path / "net", *described(kind))
    assert weights_beside(path) is None
    network = Network(read_network(path).layers, seed=3).eval()
    tensors = ofa_cases.network_in_their_names(network, GAPS[kind])
    file = path.parent / name
    file.parent.mkdir(exist_ok=True)
    torch.save({"state_dict": tensors, "epoch": 3}, file)
    with open_source(path) as source:
        item = source.item("")
    x = torch.randn(1, 3, item.arch.r, item.arch.r)
    assert torch.equal(item.network(x), network(x))
    assert item.weights.startswith(f"{file.name} beside its net.config, its state_dict after epoch 3 (SHA-256 ")
    assert item.warnings == (ASSUMED,) and item.preprocessing["mean"] == [0.485, 0.456, 0.406]
    with open_source(path, SourceOptions(weights=Wanted(random=True))) as source:  # what is asked for comes first
        assert source.item("").weights == "random"


def test_weights_that_do_not_fit_are_refused(tmp_path):
    path = put(tmp_path / "net", *described("odd"))
    found = read_network(path)
    tensors = ofa_cases.network_in_their_names(Network(found.layers), GAPS["odd"])
    wrong = {
        "lacks 2 tensors of the network": {k: v for k, v in tensors.items() if "classifier" not in k},
        r"has a tensor 'blocks.7.conv.point_linear.conv.weight'": tensors
        | {"blocks.7.conv.point_linear.conv.weight": torch.ones(1)},
        r"classifier.linear.weight in .* has shape \[3\]": tensors | {"classifier.linear.weight": torch.ones(3)},
    }
    for said, content in wrong.items():
        torch.save({"state_dict": content}, tmp_path / "init")
        with pytest.raises(BadInput, match=said):
            read_network_weights(tmp_path / "init", found)
    with pytest.raises(
        BadInput, match=r"without weights, and .*; allowed: --random-weights, or beside it one of init, net.init"
    ):
        open_source(path)


def test_several_image_sizes_are_told(tmp_path):
    config, _ = described("mbv3")
    path = put(tmp_path, config, [128, 160, 96])
    network = read_network(path)
    assert (network.arch.r, read_archs(get_space("mbv3", [96, 160]), path)[0].r) == (160, 160)
    assert "160 px (the largest of 96, 128, 160 in run.config; --resolutions N for another), " in str(network)
    assert read_network(path, [96]).note == "" and read_network(put(tmp_path, config, [96])).note == ""
    assert read_network(put(tmp_path, config | {"resolution": 72})).arch.r == 72  # as NSGANetV2's
    for size in ([], [96, "128"], True):
        with pytest.raises(BadInput, match=r"image_size in .*run\.config is .*; allowed: pixels, or a list of them"):
            read_network(put(tmp_path, config, size))


def test_a_supernets_own_config_says_so(tmp_path):
    config = described("mbv3")[0] | {"name": "OFAMobileNetV3"}
    with pytest.raises(
        BadInput, match=r"of a whole supernet \(OFAMobileNetV3\); allowed: that of one network; try: its"
    ):
        read_network(put(tmp_path, config, [128, 160]))
