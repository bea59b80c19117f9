"""once-for-all's `net.config`: into our architectures, into fixed networks, or into one clear line."""

from __future__ import annotations

import copy
import json
import re

import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hwnas.cli import main
from hwnas.nets import Network, fold
from hwnas.ofa.net_config import read_layers
from hwnas.ofa.network_files import read_archs, read_network
from hwnas.onnx.writer import write_onnx
from hwnas.space import Architecture, get_space
from hwnas.space.fixed import FixedNetwork
from profilers.errors import BadInput
from tests.hwnas.net_configs import net_config

torch.set_num_threads(1)
FAMILIES = ("mbv3", "mbv3-w1.2", "proxyless", "proxylessnas")


def put(folder, config, size: int | None = 224):
    folder.mkdir(exist_ok=True)
    (folder / "net.config").write_text(json.dumps(config, indent=4))
    if size is not None:
        (folder / "run.config").write_text(json.dumps({"image_size": size}))
    return folder / "net.config"


def plain(resolution: int = 224):
    space = get_space("proxyless", [resolution])
    return net_config(space.layers(space.extremes()[0]))


def test_the_published_ones(published):
    """Widths, kernels and skips as the file has them; multiply-adds as the folder's name has them."""
    homes = {}
    for folder in sorted((published / "ofa/ofa_specialized").iterdir()):
        network, config = read_network(folder / "net.config"), json.loads((folder / "net.config").read_text())
        assert isinstance(network.arch, Architecture), folder
        homes.setdefault(network.space.name, []).append(folder.name.partition("_")[0])
        assert network.layers == network.space.layers(network.arch)
        specs = [spec for spec in network.layers if spec.kind == "mbconv"]
        for spec, block in zip(specs, config["blocks"], strict=True):
            theirs = block["mobile_inverted_conv"]
            assert (spec.kernel, spec.stride, spec.out_channels) == tuple(
                theirs[key] for key in ("kernel_size", "stride", "out_channels")
            )
            assert spec.mid == (theirs["mid_channels"] or theirs["in_channels"])
            assert (spec.skip, spec.se) == (block["shortcut"] is not None, theirs["use_se"])
        if found := re.match(r"flops-(\d+)M", folder.name):
            assert round(sum(spec.madds for spec in network.layers) / 1e6) == int(found[1])
    assert homes == {
        "mbv3": ["LG-G8", "note10", "note10"], "mbv3-w1.2": ["flops-389M", "note10"],
        "proxyless": ["1080ti", "1080ti", "cpu"],
    }  # fmt: skip


@pytest.mark.parametrize("newer", [False, True])
@pytest.mark.parametrize("name", FAMILIES)
def test_every_network_of_a_space_is_found_in_it_again(tmp_path, name, newer):
    space = get_space(name, [96, 132], classes=12)
    for arch in [*space.extremes(), *space.decode(space.sample(5, np.random.default_rng(0)))]:
        network = read_network(put(tmp_path, net_config(space.layers(arch), newer), arch.r))
        assert (network.space.name, network.arch, network.space.classes) == (name, arch, 12)
        assert read_archs(space, tmp_path / "net.config") == [arch]


def odd_network(size: int = 40):
    """Of no space: other widths, squeeze-and-excite with ReLU6, a block that is its shortcut alone, no last 1x1."""
    config = plain()
    del config["bn"]
    config["blocks"] = copy.deepcopy(config["blocks"][:4])
    config["blocks"][2]["mobile_inverted_conv"].update(use_se=True, mid_channels=20, kernel_size=9)
    config["blocks"].insert(3, {"name": "MobileInvertedResidualBlock", "mobile_inverted_conv": {"name": "ZeroLayer"},
                                "shortcut": {"name": "IdentityLayer"}})  # fmt: skip
    config["feature_mix_layer"] = None
    config["classifier"] |= {"in_features": 56, "out_features": 7}
    return config


def test_a_network_of_no_space_is_fixed_and_runs_the_same_in_torch_and_onnx(tmp_path):
    network = read_network(put(tmp_path, odd_network(), 40))
    assert isinstance(network.space, FixedNetwork) and network.space is network.arch
    assert [spec.kind for spec in network.layers] == ["conv", *["mbconv"] * 4, "pool", "linear"]
    assert (network.arch.r, network.space.classes, network.layers[0].eps) == (40, 7, 1e-3)
    torch_network = Network(network.layers).eval()
    x = np.random.default_rng(0).standard_normal((2, 3, 40, 40), dtype=np.float32)
    model = write_onnx(network.layers, fold(torch_network), batch=2)
    with torch.no_grad():
        expected = torch_network(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(onnxruntime.InferenceSession(model).run(None, {"input": x})[0], expected, atol=1e-5)
    assert sum(p.numel() for p in torch_network.parameters()) == sum(spec.params for spec in network.layers)


def run(*arguments) -> int:
    with pytest.raises(SystemExit) as stopped:
        main([str(a) for a in arguments])
    return int(stopped.value.code or 0)


@pytest.mark.slow
def test_the_command_line_counts_and_exports_one(tmp_path, capsys):
    path = put(tmp_path / "net", odd_network(), 72)
    assert run("count", "--archs", path) == 0
    out, err = capsys.readouterr()
    expected = read_network(path).layers
    assert json.loads(out) == {"params": sum(s.params for s in expected), "madds": sum(s.madds for s in expected)}
    assert "a fixed network, of no space here, 72 px" in err
    assert run("export", path, "--engine", "onnx", "--quick", "--out", tmp_path / "out") == 2
    assert "is a network without weights, and is of no space" in capsys.readouterr().err
    assert run("export", path, "--random-weights", "--engine", "onnx", "--quick", "--out", tmp_path / "out") == 0
    sheet = json.loads((tmp_path / "out/datasheet.json").read_text())
    assert sheet["space"]["name"] == "fixed" and sheet["architecture"]["layers"] == [s.key for s in expected]
    assert sheet["objectives"]["madds"]["value"] == json.loads(out)["madds"]
    capsys.readouterr()
    assert run("count", "--space", "proxyless", "--archs", path) == 2
    assert "is no network of space proxyless: " in capsys.readouterr().err
    assert run("export", path, "--engine", "onnx", "--supernet", tmp_path / "s.pth", "--out", tmp_path / "out") == 2
    assert "--supernet for a network of no space" in capsys.readouterr().err


def test_the_image_size_comes_from_beside_or_from_the_caller(tmp_path):
    path = put(tmp_path, plain(), None)
    with pytest.raises(
        BadInput, match=r"does not say its image size, and .*run.config is missing; try: \"resolution\": 224"
    ):
        read_network(path)
    assert read_network(path, [160]).arch.r == 160
    assert read_archs(get_space("proxyless", [160]), path)[0].r == 160
    for text, said in (("{", "not valid JSON"), ("[]", "image_size"), ('{"image_size": "224"}', "image_size")):
        (tmp_path / "run.config").write_text(text)
        with pytest.raises(BadInput, match=said):
            read_network(path)


def change(path: str, value):
    """The plain network with one field changed."""
    config = plain()
    *way, last = [int(key) if key.isdigit() else key for key in path.split(".")]
    place = config
    for key in way:
        place = place[key]
    place[last] = value
    return config


WRONG = [
    ("name", "ResNets", "name is 'ResNets'; allowed: MobileNetV3 or ProxylessNASNets"),
    ("bn.eps", 0, "bn.eps is 0"), ("bn", 3, "bn is 3; allowed: an object"), ("blocks", [], "'blocks'"),
    ("blocks", [None], r"blocks\[0\] is None"), ("blocks", [{}] * 99, "1 to 80 blocks"),
    ("first_conv.dilation", 2, "first_conv.dilation is 2; allowed: 1"),
    ("first_conv.groups", 4, "first_conv.groups"), ("first_conv.bias", True, "first_conv.bias"),
    ("first_conv.stride", 3, "first_conv.stride is 3; allowed: 1 to 2"),
    ("first_conv.out_channels", 10**9, "first_conv.out_channels is 1000000000; allowed: 1 to 16384"),
    ("first_conv.ops_order", "bn_act_weight", "first_conv.ops_order"), ("first_conv.act_func", "swish", "act_func"),
    ("first_conv.kernel_size", 4, "kernel_size is 4; allowed: an odd number"),
    ("first_conv.kernel_size", True, "kernel_size is True"), ("first_conv.use_bn", "yes", "use_bn"),
    ("blocks.1.name", "Transformer", r"blocks\[1\].name"),
    ("blocks.1.shortcut", {"name": "ConvLayer"}, "shortcut.name"),
    ("blocks.1.shortcut", {"name": "IdentityLayer"}, "a shortcut around a change of shape"),
    ("blocks.1.mobile_inverted_conv", {"name": "ZeroLayer"}, "neither a convolution nor a shortcut"),
    ("blocks.1.mobile_inverted_conv.in_channels", 25, "in_channels is 25; allowed: 24, which the layer before it"),
    ("blocks.0.mobile_inverted_conv.mid_channels", 41, "41 channels inside at expand_ratio 1"),
    ("blocks.1.mobile_inverted_conv.expand_ratio", 4.5, "expand_ratio is 4.5"),
    ("blocks.1.mobile_inverted_conv.groups", 2, "groups is 2; allowed: null"),
    ("feature_mix_layer", 3, "feature_mix_layer is 3"), ("classifier.bias", False, "a plain linear layer"),
    ("classifier.in_features", 3, "classifier.in_features is 3; allowed: 1664"),
    ("classifier.out_features", 1, "classifier.out_features"), ("classifier", None, "lacks classifier"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "said"), WRONG)
def test_what_is_wrong_is_named(path, value, said):
    with pytest.raises(BadInput, match=said) as caught:
        read_layers(change(path, value), 224)
    assert "\n" not in str(caught.value)


def test_too_many_parameters_are_refused_before_anything_is_made():
    config = plain()
    block = copy.deepcopy(config["blocks"][2])
    config["blocks"] = [config["blocks"][0], config["blocks"][1]]
    config["blocks"][1]["mobile_inverted_conv"].update(out_channels=16000, mid_channels=16000)
    block["mobile_inverted_conv"].update(in_channels=16000, out_channels=16000, mid_channels=16000)
    config["blocks"].append(block)
    config["feature_mix_layer"]["in_channels"] = 16000
    with pytest.raises(BadInput, match="parameters; allowed: at most"):
        read_layers(config, 224)


_VALUES = st.none() | st.booleans() | st.integers(-5, 10**6) | st.text(max_size=4) | st.just([]) | st.just({})
_PATHS = [path for path, *_ in WRONG]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(_PATHS), _VALUES, st.integers(-10, 3000))
def test_any_value_anywhere_is_a_network_or_a_clear_error(path, value, resolution):
    try:
        layers = read_layers(change(path, value), resolution)
        assert layers[-1].kind == "linear" and layers[0].size == resolution
    except BadInput as error:
        assert "\n" not in str(error)


def test_other_files_are_not_taken_for_one(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"ks": [3], "blocks": []}\n')
    with pytest.raises(BadInput, match="line 1: an architecture with"):
        read_archs(get_space("mbv3"), tmp_path / "a.jsonl")
    with pytest.raises(BadInput, match=r"is no net.config; allowed: an object with first_conv"):
        read_network(tmp_path / "a.jsonl")
