"""OFA's published checkpoints: names, shapes, and the logits that OFA's own code gives."""

from __future__ import annotations

import re

import numpy as np
import onnxruntime
import pytest
import torch

from hwnas.nets import fold
from hwnas.ofa.checkpoint import read_ofa_checkpoint
from hwnas.onnx.writer import write_onnx
from hwnas.space import get_space
from profilers.errors import BadInput
from tests.hwnas import ofa_cases

torch.set_num_threads(1)
EXACT = {"INFERENCE_PRECISION_HINT": "f32"}  # OpenVINO's default is bfloat16 where the CPU has it


@pytest.fixture(scope="module", params=sorted(ofa_cases.FAMILIES))
def published(request, tmp_path_factory):
    found = ofa_cases.family(request.param)
    path = tmp_path_factory.mktemp("ofa") / "ofa.pth"
    torch.save({"state_dict": found.tensors}, path)
    return found, path


def of_torch(network, x):
    with torch.no_grad():
        return network(torch.from_numpy(x))[0].numpy()


def of_onnxruntime(network, x):
    return onnxruntime.InferenceSession(write_onnx(network.specs, fold(network))).run(None, {"input": x})[0][0]


def of_openvino(network, x):
    core = pytest.importorskip("openvino").Core()
    model = core.compile_model(core.read_model(write_onnx(network.specs, fold(network))), "CPU", EXACT)
    return model({"input": x})[0][0]


def error(found, supernet, case, run) -> float:
    """The largest error of a logit, over the largest logit."""
    arch = supernet.space.parse(case["arch"])
    network = supernet.extract(arch)
    assert sum(p.numel() for p in network.parameters()) == case["params"]
    got, expected = run(network, ofa_cases.images(case, arch.r))[:: found.step], np.array(case["logits"])
    return float(np.abs(got - expected).max() / np.abs(expected).max())


@pytest.mark.slow
@pytest.mark.parametrize("run", [of_torch, of_onnxruntime, of_openvino])
def test_logits_are_those_of_ofas_code(published, run):
    found, path = published
    supernet = read_ofa_checkpoint(path, found.space)
    errors = [error(found, supernet, case, run) for case in found.cases]
    print(f"{found.space.name} {run.__name__}: largest relative error", *(f"{e:.1e}" for e in errors))
    assert len(errors) >= 2 and max(errors) < 1e-4


def older(name: str) -> str:
    """Elastic parts without their second wrapper, saved from a DataParallel model."""
    return "module." + re.sub(r"\.(conv|bn)\.\1\.", r".\1.", name)


def other(name: str) -> str:
    """Blocks call `conv` in the newer code what is `mobile_inverted_conv` in the published files."""
    match = re.fullmatch(r"(blocks\.\d+)\.(mobile_inverted_conv|conv)\.(.+)", name)
    if match is None:
        return name
    return f"{match[1]}.{'mobile_inverted_conv' if match[2] == 'conv' else 'conv'}.{match[3]}"


@pytest.mark.parametrize("rename", [older, other])
def test_names_of_other_versions_are_read(published, tmp_path, rename):
    found, _ = published
    tensors = {rename(name): value for name, value in found.tensors.items()}
    assert set(tensors) != set(found.tensors)
    torch.save(tensors, tmp_path / "old.pth")
    assert error(found, read_ofa_checkpoint(tmp_path / "old.pth", found.space), found.cases[0], of_torch) < 1e-4


@pytest.mark.slow
def test_a_checkpoint_that_does_not_fit_is_refused(published, tmp_path):
    found, path = published
    space, tensors = found.space, found.tensors
    for name in {"mbv3", "mbv3-w1.2"} - {space.name}:
        with pytest.raises(
            BadInput, match=rf"is a supernet of space {space.name}; allowed: space {name}; try: space ="
        ):
            read_ofa_checkpoint(path, get_space(name))
    fewer = dict(list(tensors.items())[:-1])
    torch.save({"state_dict": fewer}, tmp_path / "fewer.pth")
    with pytest.raises(BadInput, match=r"lacks 1 tensors.*classifier.linear.conv.bias"):
        read_ofa_checkpoint(tmp_path / "fewer.pth", space)
    torch.save({"state_dict": {**tensors, "blocks.99.x": tensors["classifier.linear.bias"]}}, tmp_path / "more.pth")
    with pytest.raises(BadInput, match=r"blocks\.99"):
        read_ofa_checkpoint(tmp_path / "more.pth", space)
