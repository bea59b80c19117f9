"""OFA's published checkpoint format: names, shapes, and the logits that OFA's own code gives."""

from __future__ import annotations

import json
import re
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch

from hwnas.nets.ofa_checkpoint import read_ofa_checkpoint
from hwnas.space import get_space
from profilers.errors import BadInput

FORMAT = Path(__file__).parents[3] / "shared/published/ofa/mbv3_checkpoint_format.json"
pytestmark = pytest.mark.skipif(not FORMAT.exists(), reason="../shared/published is not here")
SPACES = {"1.0": "mbv3", "1.2": "mbv3-w1.2"}

torch.set_num_threads(1)


def tensor(name: str, shape: list[int]) -> torch.Tensor:
    """The recipe in the file."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    if name.endswith("num_batches_tracked"):
        return torch.zeros(shape, dtype=torch.int64)
    if name.endswith("running_var"):
        value = rng.uniform(0.5, 1.5, shape)
    elif name.endswith("running_mean"):
        value = rng.normal(0, 0.1, shape)
    elif "_matrix" in name:
        value = np.eye(shape[0]) + rng.normal(0, 0.02, shape)
    elif len(shape) == 1:
        value = rng.uniform(0.5, 1.5, shape) if name.endswith("weight") else rng.normal(0, 0.1, shape)
    else:
        value = rng.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape)
    return torch.from_numpy(np.asarray(value, np.float32))


@pytest.fixture(scope="module", params=["1.0", "1.2"])
def published(request, tmp_path_factory):
    part = json.loads(FORMAT.read_text())[request.param]
    tensors = {name: tensor(name, shape) for name, shape in part["shapes"].items()}
    path = tmp_path_factory.mktemp("ofa") / "ofa.pth"
    torch.save({"state_dict": tensors}, path)
    return get_space(SPACES[request.param]), path, tensors, part["cases"]


def check(supernet, case):
    arch = supernet.space.parse(case["arch"])
    x = np.random.default_rng(case["input_seed"]).normal(0, 1, (1, 3, arch.r, arch.r)).astype(np.float32)
    network = supernet.extract(arch)
    assert sum(p.numel() for p in network.parameters()) == case["params"]
    with torch.no_grad():
        logits = network(torch.from_numpy(x))[0].numpy()
    expected = np.array(case["logits"])
    assert np.abs(logits - expected).max() / np.abs(expected).max() < 1e-4


def test_logits_are_those_of_ofas_code(published):
    space, path, _, cases = published
    supernet = read_ofa_checkpoint(path, space)
    assert len(cases) == 2
    for case in cases:
        check(supernet, case)


def test_older_names_without_the_second_wrapper_are_read(published, tmp_path):
    space, _, tensors, cases = published
    older = {"module." + re.sub(r"\.(conv|bn)\.\1\.", r".\1.", name): value for name, value in tensors.items()}
    assert set(older) != {"module." + name for name in tensors}
    torch.save(older, tmp_path / "old.pth")
    check(read_ofa_checkpoint(tmp_path / "old.pth", space), cases[0])


def test_a_checkpoint_that_does_not_fit_is_refused(published, tmp_path):
    space, path, tensors, _ = published
    other = get_space("mbv3" if space.name != "mbv3" else "mbv3-w1.2")
    with pytest.raises(BadInput, match="has shape"):
        read_ofa_checkpoint(path, other)
    fewer = dict(list(tensors.items())[:-1])
    torch.save({"state_dict": fewer}, tmp_path / "fewer.pth")
    with pytest.raises(BadInput, match=r"lacks 1 tensors.*classifier.linear.conv.bias"):
        read_ofa_checkpoint(tmp_path / "fewer.pth", space)
    torch.save({"state_dict": {**tensors, "blocks.99.x": tensors["classifier.linear.bias"]}}, tmp_path / "more.pth")
    with pytest.raises(BadInput, match=r"blocks\.99"):
        read_ofa_checkpoint(tmp_path / "more.pth", space)


def test_truncated_and_pickled_files_are_refused(published, tmp_path):
    space, path, *_ = published
    (tmp_path / "cut.pth").write_bytes(path.read_bytes()[:100_000])
    torch.save({"state_dict": Path("x")}, tmp_path / "pickle.pth")
    for name in ("cut.pth", "pickle.pth"):
        with pytest.raises(BadInput, match="not a torch file"):
            read_ofa_checkpoint(tmp_path / name, space)
