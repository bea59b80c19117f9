import copy
import sys
import textwrap

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from hwnas.onnx.open_model import open_model, parse_shapes
from profilers.errors import BadInput, FileProblem
from tests.profilers.models import chain
from tests.profilers.onnx.any_models import tokens_and_image


class Both(nn.Module):
    """Tokens and an image; fresh BatchNorm."""

    def __init__(self):
        super().__init__()
        self.table, self.conv, self.norm = nn.Embedding(50, 8), nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)

    def forward(self, tokens, image, scale=1.0):
        return self.table(tokens).mean(1) + self.norm(self.conv(image)).mean((2, 3)) * scale


class Branch(nn.Module):
    def forward(self, x):
        return x * 2 if x[0, 0] == 1 else x * 3  # of noise, no value is 1


class Several(nn.Module):
    def forward(self, x):
        return {"a": x * 2, "b": (x + 1, x.sum())}


EXAMPLES = (torch.zeros(1, 5, dtype=torch.int64), torch.zeros(1, 3, 8, 8))


def test_an_onnx_file_and_its_bytes(tmp_path):
    (tmp_path / "net.onnx").write_bytes(chain())
    for source in (tmp_path / "net.onnx", str(tmp_path / "net.onnx"), chain()):
        opened = open_model(source)
        assert opened.model.data == chain() and opened.module is None and opened.parity is None
        assert opened.name == ("model" if isinstance(source, bytes) else "net")
        assert opened.about == "ONNX, opset 18, 3 nodes"


def test_shapes_pin_dynamic_dimensions():
    shapes = parse_shapes(["tokens=2x5", "image=2x3x8x8"])
    assert open_model(tokens_and_image().SerializeToString(), shapes).model.batch == 2
    with pytest.raises(BadInput, match="--shape tokens=1x128 --shape image=1x3x224x224"):
        open_model(tokens_and_image().SerializeToString())


def test_a_torch_module_of_two_inputs_keeps_its_weights_and_is_not_touched():
    module = Both().train()
    before = copy.deepcopy(module.state_dict())
    opened = open_model(module, inputs=EXAMPLES)
    assert {p.name: (p.dtype, p.shape) for p in opened.model.inputs.values()} == {
        "tokens": ("int64", (1, 5)), "image": ("float32", (1, 3, 8, 8)),
    }  # fmt: skip
    assert opened.name == "Both" and 0 <= opened.parity < 1e-5 and "untrained" in opened.about
    assert module.training and all(torch.equal(before[k], v) for k, v in module.state_dict().items())
    weights = {
        t.name: onnx.numpy_helper.to_array(t) for t in onnx.load_from_string(opened.model.data).graph.initializer
    }
    np.testing.assert_array_equal(weights["table.weight"], module.table.weight.detach().numpy())


def test_a_trained_batchnorm_keeps_its_statistics():
    module = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    with torch.no_grad():
        module(torch.randn(8, 3, 6, 6) * 3 + 1)
    opened = open_model(module.eval(), {"": (1, 3, 6, 6)})
    assert torch.equal(opened.module[1].running_mean, module[1].running_mean) and "untrained" not in opened.about


def test_an_untrained_batchnorm_takes_those_of_noise():
    module = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    opened = open_model(module, {"": (1, 3, 6, 6)})
    assert opened.module[1].running_mean.any() and not module[1].running_mean.any()


@pytest.mark.parametrize("inputs", [EXAMPLES, list(EXAMPLES), {"image": EXAMPLES[1], "tokens": EXAMPLES[0]}])
def test_example_inputs_come_in_any_order(inputs):
    assert list(open_model(Both(), inputs=inputs).model.inputs) == ["tokens", "image"]


def test_weights_that_are_equal_are_one_weight_and_no_node():
    module = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
    module[2].load_state_dict(module[0].state_dict())
    opened = open_model(module, inputs=torch.zeros(1, 4))
    graph = onnx.load_from_string(opened.model.data).graph
    assert [node.op_type for node in graph.node] == ["Gemm", "Relu", "Gemm"]
    assert len(graph.initializer) == 2 and opened.parity < 1e-5


def test_several_outputs_are_numbered():
    opened = open_model(Several(), inputs=torch.zeros(1, 3))
    assert [p.shape for p in opened.model.outputs.values()] == [(1, 3), (1, 3), ()]
    assert list(opened.model.outputs) == ["output_0", "output_1", "output_2"]


def test_timms_modules_know_their_size():
    module = nn.Conv2d(3, 4, 1)
    module.default_cfg = {"input_size": (3, 10, 10)}
    assert open_model(module, batch=2).model.inputs["input"].shape == (2, 3, 10, 10)


@pytest.mark.parametrize(("module", "options", "line"), [
    (Both(), {}, r"without the shape of tokens, image; try: --shape tokens=1x3x224x224 --shape image="),
    (Both(), {"shapes": {"tokens": (1, 5)}}, r"without the shape of image"),
    (Both(), {"shapes": {"image": (1, 3, 8, 8)}}, r"without the shape of tokens"),
    (Both(), {"shapes": {"tokn": (1, 5)}}, r"'tokn', which forward does not take; .*try: tokens"),
    (Both(), {"shapes": {"tokens": (1, 5), "image": (1, 3, 8, 8)}}, r"does not run on tokens 1x5 torch.float32, image"),
    (Both(), {"inputs": (*EXAMPLES, *EXAMPLES)}, r"4 example inputs; allowed: one tensor for each of tokens, image"),
    (Both(), {"inputs": ["x"]}, r"1 example inputs; allowed: one tensor"),
    (Both(), {"inputs": EXAMPLES, "batch": 3}, r"batch 3 for inputs of batch 1; allowed: 1"),
    (Branch(), {"inputs": torch.ones(1, 3)}, r"differs from torch by .* on noise; .*branches that depend on values"),
    (b"", {"inputs": EXAMPLES}, r"example inputs for an ONNX model"),
    (3, {}, r"a model of type int; allowed: a path, bytes, a torch module or python:module:NAME"),
])  # fmt: skip
def test_what_cannot_be_opened_says_why(module, options, line):
    with pytest.raises(BadInput, match=line):
        open_model(module, **options)


@pytest.fixture
def user(tmp_path, monkeypatch):
    """A module of a user's own in the current folder."""
    (tmp_path / "mine_to_open.py").write_text(
        textwrap.dedent("""
        import torch
        def pair():
            return torch.nn.Embedding(9, 4), torch.zeros(1, 6, dtype=torch.int64)
        def square():
            return torch.nn.Conv2d(3, 2, 1)
        ready = torch.nn.Linear(4, 2)
        def broken():
            raise KeyError("no such layer")
        def number():
            return 3
    """)
    )
    monkeypatch.chdir(tmp_path)
    yield
    sys.modules.pop("mine_to_open", None)


def test_a_callable_of_ones_own_module(user):
    opened = open_model("python:mine_to_open:pair")
    assert opened.name == "pair" and opened.model.inputs["input"].dtype == "int64"
    assert open_model("python:mine_to_open:square", {"": (1, 3, 5, 5)}).model.inputs["input"].shape == (1, 3, 5, 5)
    assert open_model("python:mine_to_open:ready", {"": (1, 4)}).parity < 1e-5


@pytest.mark.parametrize(("name", "line"), [
    ("broken", "python:mine_to_open:broken raised KeyError: 'no such layer'"),
    ("number", "python:mine_to_open:number gives a int; allowed: a torch module"),
    ("pairs", "no pairs in mine_to_open; try: pair"),
])  # fmt: skip
def test_a_callable_that_gives_no_module(user, name, line):
    with pytest.raises(BadInput, match=line):
        open_model(f"python:mine_to_open:{name}")


def test_python_code_without_its_prefix(tmp_path):
    with pytest.raises(FileProblem, match=r"try: python:timm.models:mixnet_s, if it is Python code"):
        open_model("timm.models:mixnet_s")


@pytest.mark.parametrize("text", ["x=", "x=1x", "x=axb", "x=1x-3", "=", "", "x=99999999999"])
def test_shapes_of_another_form(text):
    with pytest.raises(BadInput, match="allowed: NAME=1x3x224x224, or 1x3x224x224 for the only input"):
        parse_shapes([text])


def test_shapes_are_given_once():
    assert parse_shapes(["a=1,2", "1X3", "b:0=4"]) == {"a": (1, 2), "": (1, 3), "b:0": (4,)}
    with pytest.raises(BadInput, match="the second for that input"):
        parse_shapes(["a=1x2", "a=1x3"])


class Attends(torch.nn.Module):
    """As in torchvision's vision transformers: torch fuses the attention, and TorchScript's exporter refuses that."""

    def __init__(self):
        super().__init__()
        self.look = torch.nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x):
        return self.look(x, x, x, need_weights=False)[0]


def test_what_an_exporter_refuses_is_not_printed(capfd):
    try:
        open_model(Attends().eval(), {"": (1, 4, 8)})
    except BadInput as error:
        assert "\n" not in str(error)
    assert capfd.readouterr().out == ""
