"""Files of the CPU runtimes: the same network, and nothing written of one that is refused."""

from __future__ import annotations

import numpy as np
import pytest

from profilers.base import Options
from profilers.errors import BadInput
from profilers.registry import get_profiler
from profilers.runtimes.save import save_ir, save_optimised
from tests.profilers import models

SAVED = [("onnxruntime", save_optimised, "m.ort"), ("openvino", save_ir, "m.xml")]


@pytest.fixture(params=SAVED, ids=[engine for engine, *_ in SAVED])
def format_(request):
    if not get_profiler(request.param[0]).status().available:
        pytest.skip(f"{request.param[0]} is not installed")
    return request.param


def test_what_was_saved_computes_the_same(format_, tmp_path):
    engine, save, name = format_
    model, profiler = models.tiny()[0], get_profiler(engine)
    save(model, Options(), tmp_path / name)
    with profiler.load(model) as plain, profiler.load(tmp_path / name) as saved:
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
def test_what_is_refused_leaves_no_file(format_, tmp_path, model, options, message):
    _, save, name = format_
    with pytest.raises(BadInput, match=message) as caught:
        save(models.tiny()[0] if model is None else model, options, tmp_path / name)
    assert "\n" not in str(caught.value) and not list(tmp_path.iterdir())


def test_an_unknown_level_of_optimisation_is_refused(tmp_path):
    with pytest.raises(BadInput, match="sometimes"):
        save_optimised(models.tiny()[0], Options(optimization="sometimes"), tmp_path / "m.ort")


def test_weights_of_16_bits_where_that_is_computed_in(tmp_path):
    profiler = get_profiler("openvino")
    if not profiler.status().available or "bf16" not in profiler.supported_precisions():
        pytest.skip("no OpenVINO that computes in bf16")
    for precision in ("fp32", "bf16"):
        save_ir(models.tiny()[0], Options(precision=precision), tmp_path / f"{precision}.xml")
    full, narrow = ((tmp_path / f"{p}.bin").stat().st_size for p in ("fp32", "bf16"))
    assert narrow < 0.6 * full
