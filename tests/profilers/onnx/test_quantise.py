"""The quantiser, checked against onnxruntime.quantization and the runtimes that take its models."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import helper, numpy_helper

from hwnas.onnx.writer import write_onnx
from hwnas.space import get_space
from profilers.base import Options
from profilers.errors import BadInput
from profilers.onnx.node_names import layer_of
from profilers.onnx.quantise import QuantConfig, calibrate, insert_qdq, needs_reduced_range, quantise
from profilers.registry import get_profiler
from tests.profilers.onnx.any_models import info, proto

# The last is wide because sums of CPUs without VNNI saturate with weights of 8 bits.
SCHEMES = [
    (QuantConfig(reduce_range=True), 0.1),
    (QuantConfig(symmetric=True, reduce_range=True), 0.2),
    (QuantConfig(), 0.4),
]


@pytest.fixture(scope="module")
def network():
    space = get_space("tiny")
    return write_onnx(space.layers(space.extremes(16)[0]))


@pytest.fixture(scope="module")
def images():
    return [np.random.default_rng(i).standard_normal((1, 1, 16, 16), dtype=np.float32) for i in range(16)]


def outputs(model, images, engine="onnxruntime", precision="int8"):
    with get_profiler(engine).load(model, Options(precision=precision)) as session:
        return np.concatenate([session.infer(image) for image in images])


def operators(model):
    return [node.op_type for node in onnx.load_from_string(model).graph.node]


@pytest.mark.parametrize(("config", "most"), SCHEMES)
def test_a_quantised_network_computes_nearly_the_same(network, images, config, most):
    quantised = quantise(network, images, config)
    onnx.checker.check_model(onnx.load_from_string(quantised), full_check=True)
    exact, coded = outputs(network, images, precision="fp32"), outputs(quantised, images)
    error = np.sqrt(np.mean((coded - exact) ** 2)) / exact.std()
    assert 1e-6 < error < most


def test_as_exact_as_onnxruntimes_own_quantiser(network, images, tmp_path):
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):
        left = iter(images)

        def get_next(self):
            image = next(self.left, None)
            return None if image is None else {"input": image}

    quantize_static(
        onnx.load_from_string(network), tmp_path / "q.onnx", Reader(), quant_format=QuantFormat.QDQ, per_channel=True,
        reduce_range=True, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
    )  # fmt: skip
    exact = outputs(network, images, precision="fp32")
    theirs, ours = (
        np.sqrt(np.mean((outputs(m, images) - exact) ** 2))
        for m in ((tmp_path / "q.onnx").read_bytes(), quantise(network, images, QuantConfig(reduce_range=True)))
    )
    assert ours < 1.5 * theirs


def test_integer_kernels_and_owners(network):
    """Each convolution is one integer kernel, and every node is of the layer that it works for."""
    graph = onnx.load_from_string(insert_qdq(network)).graph
    assert all(layer_of(node.name) is not None and layer_of(node.output[0]) is not None for node in graph.node[:-1])
    with get_profiler("onnxruntime").load(insert_qdq(network), Options(precision="int8"), traced=True) as session:
        session.run()
        (times,) = session.node_times()
    assert {layer_of(name) for name in times} == set(range(max(layer_of(n.name) for n in graph.node) + 1))
    kinds = operators(network)
    assert operators(insert_qdq(network)).count("QuantizeLinear") < len(kinds) + 1


def test_weights_are_coded_per_channel(network):
    tensors = {t.name: numpy_helper.to_array(t) for t in onnx.load_from_string(network).graph.initializer}
    for reduce_range, largest in ((False, 127), (True, 64)):
        coded = onnx.load_from_string(
            insert_qdq(network, config=QuantConfig(reduce_range=reduce_range))
        ).graph.initializer
        found = {t.name: numpy_helper.to_array(t) for t in coded}
        codes, scale = found["L00_conv_weight_quantized"], found["L00_conv_weight_scale"]
        assert codes.dtype == np.int8 and np.abs(codes).max() == largest and scale.shape == codes.shape[:1]
        back = codes * scale[:, None, None, None]
        assert (np.abs(back - tensors["L00_conv_weight"]).max(axis=(1, 2, 3)) <= 0.5001 * scale).all()


def test_symmetric_models_have_no_zero_points_and_float_biases(network, images):
    graph = onnx.load_from_string(quantise(network, images, QuantConfig(symmetric=True))).graph
    tensors = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    zeros = {n.input[2] for n in graph.node if n.op_type in ("QuantizeLinear", "DequantizeLinear")}
    assert all(tensors[z].dtype == np.int8 and not tensors[z].any() for z in zeros)
    assert tensors["L00_conv_bias"].dtype == np.float32


def test_ranges_are_the_images_own(network, images):
    ranges = calibrate(network, images)
    assert ranges["input"][0] < -2 and ranges["input"][1] > 2
    assert ranges["L01_depth_act"][0] == 0.0  # behind a ReLU
    half = calibrate(network, [0.5 * image for image in images])
    assert half["input"][1] == pytest.approx(0.5 * ranges["input"][1], rel=1e-5)


def test_openvino_runs_it(network, images):
    profiler = get_profiler("openvino")
    if not profiler.status().available:
        pytest.skip(profiler.status().reason)
    quantised = quantise(network, images)
    exact, coded = outputs(network, images, precision="fp32"), outputs(quantised, images, "openvino")
    assert np.corrcoef(exact.ravel(), coded.ravel())[0, 1] > 0.99


def test_what_cannot_be_quantised_is_one_line(network, images):
    nothing = onnx.ModelProto().SerializeToString()
    for model, some in ((b"x", images), (nothing, images), (insert_qdq(network), images), (network, [])):
        with pytest.raises(BadInput) as error:
            quantise(model, some)
        assert "\n" not in str(error.value)
    with pytest.raises(BadInput):
        quantise(network, [np.full((1, 1, 16, 16), np.nan, np.float32)])
    with pytest.raises(BadInput, match="range of tensor"):
        insert_qdq(network, {"input": (0.0, 1.0)})


def test_the_scheme_follows_the_cpu(monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    for flags, reduced in ((("avx2",), True), (("avx2", "avx_vnni"), False), (("avx512f", "avx512_vnni"), False)):
        needs_reduced_range.cache_clear()
        monkeypatch.setattr("profilers.timing.fingerprint.cpu_flags", lambda flags=flags: flags)
        assert QuantConfig.for_this_cpu().reduce_range is reduced
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    needs_reduced_range.cache_clear()
    assert not QuantConfig.for_this_cpu().reduce_range
    needs_reduced_range.cache_clear()


def test_shapes_that_a_model_computes_with_stay_integers():
    kernel = numpy_helper.from_array(np.ones((4, 3, 1, 1), np.float32), "w")
    one = numpy_helper.from_array(np.array([1], np.int64), "one")
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], name="conv"),
        helper.make_node("Shape", ["c"], ["s"], name="shape"),
        helper.make_node("Mul", ["s", "one"], ["t"], name="times"),
        helper.make_node("Reshape", ["c", "t"], ["y"], name="reshape"),
    ]
    model = proto(nodes, [info("x", [1, 3, 4, 4])], [info("y", [1, 4, 4, 4])], [kernel, one]).SerializeToString()
    quantised = insert_qdq(model)
    written = onnx.load_from_string(quantised).graph.node
    assert [n.name for n in written if n.op_type == "QuantizeLinear"] == [
        "conv_input_quantized",
        "conv_output_quantized",
    ]
    session = ort.InferenceSession(quantised, providers=["CPUExecutionProvider"])
    found = session.run(None, {"x": np.full((1, 3, 4, 4), 0.5, np.float32)})[0]
    np.testing.assert_allclose(found, 1.5, atol=0.05)


def test_every_output_of_a_node_has_a_pair_of_its_own():
    split = helper.make_node("Split", ["x"], ["a", "b"], name="split", axis=1, num_outputs=2)
    join = helper.make_node("Add", ["a", "b"], ["y"], name="add")
    model = proto([split, join], [info("x", [1, 4])], [info("y", [1, 2])]).SerializeToString()
    session = ort.InferenceSession(insert_qdq(model), providers=["CPUExecutionProvider"])
    found = session.run(None, {"x": np.array([[1, 2, -1, 0.5]], np.float32)})[0]
    np.testing.assert_allclose(found, [[0, 2.5]], atol=0.05)
