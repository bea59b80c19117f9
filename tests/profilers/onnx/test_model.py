import os

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper

from profilers.errors import BadInput, FileProblem
from profilers.onnx import external
from profilers.onnx.dimensions import Port
from profilers.onnx.model import OnnxModel, read_model
from tests.profilers.models import chain
from tests.profilers.onnx import any_models
from tests.profilers.onnx.any_models import VOCABULARY, info, proto, tokens_and_image

WEIGHTS = np.arange(4, dtype=np.float32)


@pytest.fixture
def dynamic():
    return read_model(tokens_and_image().SerializeToString())


def run(model, feeds):
    session = ort.InferenceSession(model.data, providers=["CPUExecutionProvider"])
    return session.run(None, feeds)


def test_inputs_and_outputs_are_told_by_name_type_and_dimensions(dynamic):
    assert dict(dynamic.inputs) == {
        "tokens": Port("tokens", "int64", ("batch", "seq")),
        "image": Port("image", "float32", ("batch", 3, "h", "w")),
    }
    assert dict(dynamic.outputs) == {"out": Port("out", "float32", ("batch", 8))}
    assert dynamic.inputs["image"].text == "batch x 3 x h x w float32"


def test_a_pinned_model_is_static_throughout_and_computes_the_same(dynamic):
    pinned = dynamic.pinned({"tokens": (2, 5), "image": (2, 3, 8, 8)})
    assert pinned.inputs["image"].shape == (2, 3, 8, 8) and pinned.outputs["out"].shape == (2, 8)
    assert pinned.batch == 2
    feeds = pinned.noise()
    np.testing.assert_array_equal(run(pinned, feeds)[0], run(dynamic, feeds)[0])


def test_noise_fits_every_input_and_tokens_are_of_the_vocabulary(dynamic):
    feeds = dynamic.pinned({"tokens": (40, 50), "image": (40, 3, 8, 8)}).noise()
    tokens = feeds["tokens"]
    assert tokens.dtype == np.int64 and tokens.min() == 0 and tokens.max() == VOCABULARY - 1
    assert feeds["image"].dtype == np.float32 and 0.9 < feeds["image"].std() < 1.1


@pytest.mark.parametrize(("kind", "allowed"), [
    (TensorProto.INT32, {0, 1}), (TensorProto.UINT8, {0, 1}), (TensorProto.BOOL, {False, True}),
])  # fmt: skip
def test_integers_that_look_nothing_up_are_zeros_and_ones(kind, allowed):
    node = helper.make_node("Identity", ["a"], ["b"])
    model = read_model(proto([node], [info("a", [1, 64], kind)], [info("b", [1, 64], kind)]).SerializeToString())
    assert set(model.noise()["a"].ravel().tolist()) == allowed


@pytest.mark.parametrize("kind", [TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE])
def test_noise_of_other_floats(kind):
    node = helper.make_node("Identity", ["a"], ["b"])
    model = read_model(proto([node], [info("a", [1, 64], kind)], [info("b", [1, 64], kind)]).SerializeToString())
    found = model.noise()["a"]
    assert found.dtype.name == model.inputs["a"].dtype and np.abs(found.astype(np.float64)).max() > 0.5


def test_a_leading_batch_is_one_unless_it_is_given():
    model = read_model(tokens_and_image(("batch", 5), ("batch", 3, 8, 8)).SerializeToString())
    assert model.pinned().inputs["image"].shape == (1, 3, 8, 8)
    assert model.pinned(batch=4).inputs["tokens"].shape == (4, 5)
    assert model.pinned(batch=4).outputs["out"].shape == (4, 8)


def test_a_named_dimension_is_given_once():
    ends = [info("a", ["n", "seq"]), info("b", ["n", "seq"])]
    node = helper.make_node("Add", ["a", "b"], ["sum"])
    model = read_model(proto([node], ends, [info("sum", ["n", "seq"])]).SerializeToString())
    assert model.pinned({"a": (3, 7)}).inputs["b"].shape == (3, 7)


def test_a_sequence_is_no_batch_where_it_stands_first():
    ends = [info("a", ["n", "seq"]), info("position", ["seq"])]
    node = helper.make_node("Add", ["a", "position"], ["sum"])
    model = read_model(proto([node], ends, [info("sum", ["n", "seq"])]).SerializeToString())
    with pytest.raises(BadInput, match=r"try: --shape a=1x128 --shape position=128, with your sizes"):
        model.pinned()
    assert model.pinned({"a": (1, 9)}).inputs["position"].shape == (9,)


def test_a_scalar_input_and_one_of_unknown_rank():
    ends = [info("a", []), info("b", None)]
    node = helper.make_node("Mul", ["a", "b"], ["c"])
    model = read_model(proto([node], ends, [info("c", None)]).SerializeToString())
    with pytest.raises(BadInput, match=r"input 'b' is \? float32.*try: --shape b="):
        model.pinned()
    pinned = model.pinned({"b": (2, 3)})
    assert pinned.inputs["a"].shape == () and pinned.outputs["c"].shape == (2, 3)
    assert pinned.noise()["a"].shape == ()


def test_a_static_model_is_left_as_it_is():
    model = read_model(chain())
    assert model.pinned(batch=1) is model and model.pinned({"": (1, 3, 12, 12)}) is model


@pytest.mark.parametrize(("shapes", "batch", "line"), [
    ({}, None, r"input 'tokens' is batch x seq int64, input 'image' .*--shape tokens=1x128 --shape image=1x3x224x224"),
    ({"tokens": (1, 4)}, None, r"^input 'image' is batch x 3 x h x w float32"),
    ({"tokens": (2, 4)}, None, r"--shape image=2x3x224x224"),
    ({"imag": (1, 3, 8, 8)}, None, r"input 'imag', which the model lacks; .*try: image"),
    ({"": (1, 3, 8, 8)}, None, r"a shape without its input; allowed: --shape tokens=…, --shape image=…"),
    ({"image": (1, 4, 8, 8)}, None, r"1x4x8x8 for input 'image'; allowed: batch x 3 x h x w float32"),
    ({"image": (1, 3, 8)}, None, r"1x3x8 for input 'image'"),
    ({"image": (1, 3, 8, 0)}, None, r"allowed: sizes from 1"),
    ({"image": (1, 3, 2**20, 2**20)}, None, r"2147483647 values at most"),
    ({"image": (1, 3, 8, 8), "tokens": (2, 4)}, None, r"dimension 'batch' is 1 in one --shape and 2 in another"),
    ({"image": (1, 3, 8, 8), "tokens": (1, 4)}, 2, r"batch 2 for a model of batch 1 with that --shape; allowed: 1"),
])  # fmt: skip
def test_what_does_not_fit_is_refused_with_what_mends_it(dynamic, shapes, batch, line):
    with pytest.raises(BadInput, match=line):
        dynamic.pinned(shapes, batch)


def test_a_static_model_of_another_batch_is_refused():
    with pytest.raises(BadInput, match="batch 2 for a model of batch 1; allowed: 1"):
        read_model(chain()).pinned(batch=2)


def test_noise_needs_fixed_dimensions(dynamic):
    with pytest.raises(BadInput, match=r"tensor 'tokens' has dynamic dimensions.*--shape tokens=1x128"):
        dynamic.noise()


def test_inputs_that_are_no_numbers_are_refused():
    text = proto([helper.make_node("Identity", ["a"], ["b"])], [info("a", [1], TensorProto.STRING)],
                 [info("b", [1], TensorProto.STRING)])  # fmt: skip
    with pytest.raises(BadInput, match="'a' of the model is text; allowed: tensors of numbers"):
        read_model(text.SerializeToString())
    sequence = helper.make_tensor_sequence_value_info("a", TensorProto.FLOAT, [1])
    kept = proto([helper.make_node("Identity", ["a"], ["b"])], [sequence], [sequence])
    with pytest.raises(BadInput, match="'a' of the model is of sequence_type"):
        read_model(kept.SerializeToString())


def test_weights_among_the_inputs_are_no_inputs():
    model = onnx.load_from_string(chain())
    model.graph.input.append(info("w0", [8, 3, 3, 3]))
    assert list(OnnxModel.of(model).inputs) == ["input"]


@pytest.mark.parametrize("data", [b"", b"not a model", chain()[: len(chain()) // 2]], ids=["empty", "text", "half"])
def test_damaged_models_are_refused_in_one_line(data, tmp_path):
    (tmp_path / "m.onnx").write_bytes(data)
    for source in (data, tmp_path / "m.onnx"):
        with pytest.raises(
            BadInput, match=r"(the model|m\.onnx) cannot be read as ONNX: .*allowed: an ONNX model"
        ) as caught:
            read_model(source)
        assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(FileProblem, match=r"cannot read .*none\.onnx"):
        read_model(tmp_path / "none.onnx")
    with pytest.raises(BadInput, match="is not a file"):
        read_model(tmp_path)


def test_a_pipe_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadInput, match="is not a file"):
        read_model(tmp_path / "pipe")


@pytest.mark.parametrize("location", ["weights.bin", "parts/weights.bin"])
def test_weights_in_the_models_folder_are_taken_in(tmp_path, location):
    (tmp_path / location).parent.mkdir(exist_ok=True)
    (tmp_path / location).write_bytes(b"head" + WEIGHTS.tobytes())
    model = read_model(any_models.external(tmp_path, location, offset=4))
    [found] = onnx.load_from_string(model.data).graph.initializer
    np.testing.assert_array_equal(onnx.numpy_helper.to_array(found), WEIGHTS)
    (tmp_path / location).unlink()
    np.testing.assert_array_equal(run(model, {"x": np.ones((1, 4), np.float32)})[0], [WEIGHTS + 1])


def test_bytes_have_no_folder_unless_it_is_given(tmp_path):
    (tmp_path / "weights.bin").write_bytes(WEIGHTS.tobytes())
    data = any_models.external(tmp_path).read_bytes()
    with pytest.raises(BadInput, match="bytes have no folder; try: give the model's path"):
        read_model(data)
    assert read_model(data, tmp_path).data == read_model(tmp_path / "model.onnx").data


@pytest.mark.parametrize(
    "location", ["../weights.bin", "/etc/hostname", "parts/../../weights.bin", "link.bin", "out/w", ""]
)
def test_nothing_outside_of_the_models_folder_is_read(tmp_path, location):
    (home := tmp_path / "home").mkdir()
    (home / "parts").mkdir()
    (tmp_path / "weights.bin").write_bytes(WEIGHTS.tobytes())
    (home / "link.bin").symlink_to(tmp_path / "weights.bin")
    (tmp_path / "w").write_bytes(WEIGHTS.tobytes())
    (home / "out").symlink_to(tmp_path)
    with pytest.raises(BadInput, match="outside of the model's folder; allowed: files beside the model or below it"):
        read_model(any_models.external(home, location))


def test_an_absolute_path_is_refused_even_inside(tmp_path):
    (tmp_path / "weights.bin").write_bytes(WEIGHTS.tobytes())
    with pytest.raises(BadInput, match="outside of the model's folder"):
        read_model(any_models.external(tmp_path, str(tmp_path / "weights.bin")))


def test_weights_that_are_missing_or_too_short(tmp_path):
    with pytest.raises(FileProblem, match=r"weights\.bin, which holds weight 'w': no such file"):
        read_model(any_models.external(tmp_path))
    (tmp_path / "weights.bin").write_bytes(WEIGHTS.tobytes()[:-1])
    with pytest.raises(BadInput, match=r"weight 'w' takes bytes 0 to 16 of weights\.bin, which has 15"):
        read_model(any_models.external(tmp_path))


@pytest.mark.parametrize(("key", "value", "line"), [
    ("offset", "-4", "has '-4' where a number of bytes belongs"),
    ("length", "9" * 30, "where a number of bytes belongs"),
    ("length", "8", "16 bytes inside the file"),
])  # fmt: skip
def test_places_that_make_no_sense(tmp_path, key, value, line):
    (tmp_path / "weights.bin").write_bytes(WEIGHTS.tobytes())
    path = any_models.external(tmp_path)
    model = onnx.load(path, load_external_data=False)
    [entry] = [e for e in model.graph.initializer[0].external_data if e.key == key]
    entry.value = value
    path.write_bytes(model.SerializeToString())
    with pytest.raises(BadInput, match=line):
        read_model(path)


def test_external_constants_of_subgraphs_are_found_too(tmp_path):
    inner = onnx.load(any_models.external(tmp_path), load_external_data=False).graph
    outer = helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)
    model = proto([outer], [info("c", [], TensorProto.BOOL)], [info("y", None)])
    with pytest.raises(BadInput, match="the model has weights in other files"):
        read_model(model.SerializeToString())


def test_protobufs_limit_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(external, "LARGEST", 100)
    with pytest.raises(BadInput, match=r"the model has .* GB with its weights; allowed: less than 2\.1 GB"):
        read_model(chain())
    (tmp_path / "m.onnx").write_bytes(chain())
    with pytest.raises(BadInput, match=r"m\.onnx has .* GB"):
        read_model(tmp_path / "m.onnx")
