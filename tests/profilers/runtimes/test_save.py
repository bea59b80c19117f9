"""Files of the CPU runtimes: the same network, and nothing written of one that is refused."""

from __future__ import annotations

import numpy as np
import pytest

from profilers.base import Options
from profilers.errors import BadInput, FileProblem
from profilers.registry import get_profiler
from tests.profilers import models


@pytest.fixture(params=["onnxruntime", "openvino"])
def profiler(request):
    profiler = get_profiler(request.param)
    if not profiler.status().available:
        pytest.skip(f"{request.param} is not installed")
    return profiler


def test_what_was_saved_computes_the_same(profiler, tmp_path):
    model = models.tiny()[0]
    names = profiler.compile(model, Options(), (), tmp_path)
    assert [(tmp_path / name).suffix for name in names] == list(profiler.suffixes)
    assert sorted(names) == sorted(path.name for path in tmp_path.iterdir())
    with profiler.load(model) as plain, profiler.open(tmp_path / names[0], Options()) as saved:
        images = np.random.default_rng(0).standard_normal(plain.input_shape, dtype=np.float32)
        np.testing.assert_allclose(saved.infer(images), plain.infer(images), rtol=1e-6)
        assert saved.input_shape == plain.input_shape and saved.output_shape == plain.output_shape


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        (b"nonsense", Options(), "refuses the model"),
        (None, Options(precision="fp8"), "precision 'fp8'"),
    ],
)
def test_what_is_refused_leaves_no_file(profiler, tmp_path, model, options, message):
    with pytest.raises(BadInput, match=message) as caught:
        profiler.compile(models.tiny()[0] if model is None else model, options, (), tmp_path)
    assert "\n" not in str(caught.value) and not list(tmp_path.iterdir())


def test_an_unknown_level_of_optimisation_is_refused(tmp_path):
    with pytest.raises(BadInput, match="sometimes"):
        get_profiler("onnxruntime").compile(models.tiny()[0], Options(optimization="sometimes"), (), tmp_path)


def test_weights_of_16_bits_where_that_is_computed_in(tmp_path):
    profiler = get_profiler("openvino")
    if not profiler.status().available or "bf16" not in profiler.supported_precisions():
        pytest.skip("no OpenVINO that computes in bf16")
    sizes = []
    for precision in ("fp32", "bf16"):
        profiler.compile(models.tiny()[0], Options(precision=precision), (), tmp_path)
        sizes.append((tmp_path / "model.bin").stat().st_size)
    full, narrow = sizes
    assert narrow < 0.6 * full


def test_a_model_that_cannot_be_saved_is_not_called_a_bad_one(tmp_path):
    with pytest.raises(FileProblem, match=r"ONNX Runtime cannot write .*/none/model.ort: .*; try: free some space"):
        get_profiler("onnxruntime").compile(models.tiny()[0], Options(), (), tmp_path / "none")
