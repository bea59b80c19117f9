"""Real builds with TensorRT-RTX, which needs no GPU for them; TensorRT's own paths with a stand-in of its builder."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace

import pytest

from profilers.base import Options, Status
from profilers.errors import BadInput, EngineUnavailable, FingerprintMismatch
from profilers.registry import get_profiler
from profilers.runtimes.cuda import choice
from profilers.runtimes.cuda.backend import Card
from profilers.runtimes.tensorrt import build as trt_build
from profilers.runtimes.tensorrt.build import TENSORRT, TENSORRT_RTX, Settings, build
from profilers.runtimes.tensorrt.manifest import BuiltEngine, RuntimeEnvironment, check_manifest
from profilers.runtimes.tensorrt.session import TensorRt
from tests.profilers import models
from tests.profilers.onnx.test_cast_precision import small
from tests.profilers.runtimes.test_contract import images_for

NO_GPU = Status(False, reason="no NVIDIA driver", remedy="get one")


@pytest.fixture
def rtx():
    return pytest.importorskip("tensorrt_rtx", reason="pip install 'hwnas[rtx]'")


@pytest.fixture
def without_gpu(monkeypatch):
    monkeypatch.setattr(trt_build, "gpu_status", lambda: NO_GPU)


def settings(**changes) -> Settings:
    return Settings(**{"batch": 1, "targets": ("sm86",), **changes})


@pytest.mark.parametrize("precision", ["fp32", "tf32", "fp16", "bf16"])
def test_the_manifest_says_what_was_built(rtx, precision):
    model, _ = models.tiny(batch=None)
    built = build(TENSORRT_RTX, model, settings(precision=precision, batch=4, targets=("sm86", "sm89")))
    m = built.manifest
    assert (m["runtime"], m["version"]) == ("tensorrt-rtx", rtx.__version__)
    assert (m["precision"], m["tf32"], m["batch"], m["targets"]) == (
        precision,
        precision == "tf32",
        4,
        ["sm86", "sm89"],
    )
    assert m["flags"] == (["TF32"] if precision == "tf32" else [])
    assert m["inputs"][0]["name"] == "input" and m["inputs"][0]["shape"][:2] == [4, 1]
    assert m["outputs"] == [{"name": "logits", "shape": [4, 10], "dtype": "float32"}]
    assert m["engine_sha256"] == hashlib.sha256(built.data).hexdigest() and m["bytes"] == len(built.data)
    assert m["onnx_sha256"] == hashlib.sha256(model).hexdigest() and m["build_seconds"] > 0
    check_manifest(m, built.data, RuntimeEnvironment("tensorrt-rtx", rtx.__version__, "any card", "sm89"))


def test_an_engine_of_another_version_is_refused(rtx):
    built = build(TENSORRT_RTX, models.chain(), settings())
    with pytest.raises(FingerprintMismatch, match="version: 99"):
        check_manifest(built.manifest, built.data, RuntimeEnvironment("tensorrt-rtx", "99", "card", "sm86"))


def test_another_version_is_named_before_a_gpu_is_asked_for(rtx, without_gpu):
    built = build(TENSORRT_RTX, models.chain(), settings())
    other = BuiltEngine(built.data, {**built.manifest, "version": "99"})
    with pytest.raises(FingerprintMismatch, match=f"version: {rtx.__version__} here, 99 there"):
        get_profiler("tensorrt-rtx").load_engine(other)


def test_kernel_timings_are_kept_beside_the_table(monkeypatch, tmp_path):
    kept = []

    def stop(product, model, settings):
        kept.append(settings.timing_cache)
        raise EngineUnavailable("enough")

    monkeypatch.setattr("profilers.runtimes.tensorrt.build.build", stop)
    monkeypatch.setattr(TensorRt, "require", lambda self, options: None)
    plain = TensorRt()
    for profiler in (plain, plain.with_build_cache(tmp_path / "gpu.json")):
        with pytest.raises(EngineUnavailable, match="enough"):
            profiler.load(models.chain(), Options())
    assert kept == [None, tmp_path / "gpu.timing"] and plain.timing_cache is None


def test_half_precision_makes_the_engine_smaller(rtx):
    model = models.chain(channels=256, kernel=5)
    sizes = {p: len(build(TENSORRT_RTX, model, settings(precision=p)).data) for p in ("fp32", "fp16")}
    assert sizes["fp16"] < 0.7 * sizes["fp32"]


def quantised(folder, symmetric: bool) -> bytes:
    """QuantizeLinear and DequantizeLinear in signed 8 bits; TensorRT takes the symmetric form alone."""
    from onnxruntime import quantization as q

    class Reader(q.CalibrationDataReader):
        def __init__(self):
            self.batches = iter([{"input": images_for((1, 3, 12, 12), s)} for s in range(4)])

        def get_next(self):
            return next(self.batches, None)

    source, target = folder / "fp32.onnx", folder / "int8.onnx"
    source.write_bytes(models.chain())
    q.quantize_static(
        source, target, Reader(), quant_format=q.QuantFormat.QDQ, per_channel=True,
        activation_type=q.QuantType.QInt8, weight_type=q.QuantType.QInt8,
        extra_options={"ActivationSymmetric": symmetric, "QuantizeBias": False},
    )  # fmt: skip
    return target.read_bytes()


def test_a_symmetrically_quantised_model_is_built_as_it_is(rtx, tmp_path):
    built = build(TENSORRT_RTX, quantised(tmp_path, True), settings(precision="int8"))
    assert built.manifest["precision"] == "int8"


def test_an_asymmetrically_quantised_model_is_refused_with_the_reason(rtx, tmp_path):
    with pytest.raises(BadInput, match=r"QuantizeLinear .*zero point"):
        build(TENSORRT_RTX, quantised(tmp_path, False), settings(precision="int8"))


def test_two_builds_are_the_same_where_nothing_is_timed(rtx):
    first, second = (build(TENSORRT_RTX, models.chain(), settings()) for _ in range(2))
    assert first.data == second.data


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"targets": ("sm35",)}, "sm35.*allowed: .*sm86"),
        ({"precision": "fp7"}, "allowed: fp32, tf32"),
        ({"optimization": "3"}, "it has no levels"),
        ({"batch": 2}, "static batch 1"),
        ({"precision": "int8"}, "without QuantizeLinear"),
    ],
)
def test_other_settings_are_refused_with_the_allowed_ones(rtx, changes, words):
    with pytest.raises(BadInput, match=words):
        build(TENSORRT_RTX, models.chain(), settings(**changes))


def test_what_the_builder_cannot_compile_is_its_first_error_in_one_line(rtx):
    model, _ = models.tiny()
    with pytest.raises(BadInput, match=r"TensorRT-RTX refuses the model: .*SM75") as caught:
        build(TENSORRT_RTX, model, settings(targets=("sm75",)))  # it has no float32 matrix product for Turing
    assert "\n" not in str(caught.value)


def test_what_the_parser_does_not_know_is_named(rtx):
    with pytest.raises(BadInput, match="refuses the model: Det "):
        build(TENSORRT_RTX, unknown_operator(), settings())


def unknown_operator() -> bytes:
    import onnx

    model = onnx.load_model_from_string(small("Relu"))
    for value in (*model.graph.input, *model.graph.output):
        del value.type.tensor_type.shape.dim[:]
    shapes = {"a": [1, 4, 4], "b": [1]}
    for value in (*model.graph.input, *model.graph.output):
        for size in shapes[value.name]:
            value.type.tensor_type.shape.dim.add().dim_value = size
    model.graph.node[1].op_type, model.graph.node[1].name = "Det", "L00_det"
    return model.SerializeToString()


def test_without_gpu_and_target_the_remedy_is_a_target(rtx, without_gpu):
    with pytest.raises(EngineUnavailable, match=r"no NVIDIA driver.*--target sm75 or"):
        build(TENSORRT_RTX, models.chain(), settings(targets=()))


def test_engines_can_be_built_without_a_gpu_but_not_run(rtx, monkeypatch):
    monkeypatch.setattr(choice, "LIBRARY", "libcuda-that-is-not-there.so")
    assert build(TENSORRT_RTX, models.chain(), settings()).data
    status = get_profiler("tensorrt-rtx").status()
    assert not status.available and status.version == rtx.__version__
    assert "no NVIDIA driver" in status.reason and "--target" in status.remedy


def fake_package(monkeypatch, **attributes):
    module = SimpleNamespace(**{"__version__": "10.13.0.35", "Builder": object, **attributes})
    monkeypatch.setattr(trt_build.importlib, "import_module", lambda name: module)
    return module


def test_stubs_alone_are_not_the_package(monkeypatch):
    monkeypatch.setattr(trt_build.importlib, "import_module", lambda name: SimpleNamespace())
    status = trt_build.package_status(TENSORRT)
    assert not status.available and "only its stubs" in status.reason and "pip install" in status.remedy


def test_a_missing_package_says_what_to_install(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(trt_build.importlib, "import_module", missing)
    status = get_profiler("tensorrt").status()
    assert status == Status(False, "", "tensorrt is not installed", "pip install 'hwnas[tensorrt]'")


def test_an_old_tensorrt_is_too_old(monkeypatch):
    fake_package(monkeypatch, __version__="8.6.1")
    assert trt_build.package_status(TENSORRT).reason == "tensorrt 8.6.1 is older than 10.0"


def test_tensorrt_builds_on_its_gpu_only(monkeypatch, without_gpu):
    fake_package(monkeypatch)
    with pytest.raises(BadInput, match=r"target sm86 on tensorrt.*none: it builds for the GPU at hand"):
        build(TENSORRT, models.chain(), settings())
    with pytest.raises(EngineUnavailable, match="no NVIDIA driver"):
        build(TENSORRT, models.chain(), settings(targets=()))


def test_a_builder_that_cannot_reach_the_gpu_is_one_line(monkeypatch):
    said = "createInferBuilder: Error Code 6: API Usage Error (CUDA initialization failure\nwith error: 35)"

    class ILogger:
        Severity = SimpleNamespace(ERROR="error", INTERNAL_ERROR="worse")

    def builder(log):
        log.log("error", said)
        raise TypeError("pybind11::init(): factory function returned nullptr")

    fake_package(monkeypatch, ILogger=ILogger, Builder=builder)
    monkeypatch.setattr(trt_build, "gpu_status", lambda: Status(True, "13.0"))
    monkeypatch.setattr(trt_build, "gpu", lambda: SimpleNamespace(card=Card("card", "sm86")))
    with pytest.raises(EngineUnavailable, match=r"TensorRT cannot use a GPU here: .*failure with error: 35"):
        build(TENSORRT, models.chain(), settings(targets=()))


class Config:
    """IBuilderConfig's timing cache: one made of other bytes than `fits` is refused."""

    def __init__(self, fits: bytes = b"ours"):
        self.fits, self.attached = fits, None

    def create_timing_cache(self, data):
        return data

    def set_timing_cache(self, cache, ignore_mismatch):
        if cache not in (b"", self.fits):
            return False
        self.attached = cache
        return True


@pytest.mark.parametrize(("kept", "attached"), [(b"ours", b"ours"), (b"another version's", b""), (None, b"")])
def test_the_timing_cache_is_used_where_it_fits_and_begun_afresh_where_not(tmp_path, kept, attached):
    path, config = tmp_path / "cache", Config()
    if kept is not None:
        path.write_bytes(kept)
    assert trt_build._attach_cache(config, path) == config.attached == attached
    assert trt_build._attach_cache(Config(), None) is None


def test_levels_and_details_reach_tensorrts_configuration(rtx):
    config = rtx.Builder(trt_build.logger(rtx)).create_builder_config()
    chosen = Settings(optimization="5", detailed=True)
    trt_build._configure(TENSORRT, rtx, config, chosen, ("sm86",))
    assert config.builder_optimization_level == 5
    assert config.profiling_verbosity == rtx.ProfilingVerbosity.DETAILED and not config.get_flag(rtx.BuilderFlag.TF32)
