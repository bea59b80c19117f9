from __future__ import annotations

import pytest

from profilers.errors import BadInput, FileProblem
from profilers.onnx.parse import name_of, parse
from tests.profilers import models


def test_bytes_and_files_are_the_same_model(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(models.chain())
    proto = parse(path, check=True)
    assert proto == parse(models.chain()) and name_of(proto.graph.node[0]) == "L00_conv"
    proto.graph.node[0].name = ""
    assert name_of(proto.graph.node[0]) == proto.graph.node[0].output[0]


def test_what_is_no_model_is_refused_in_one_line(tmp_path):
    with pytest.raises(BadInput, match="cannot be read") as caught:
        parse(b"no model")
    assert "\n" not in str(caught.value)
    with pytest.raises(FileProblem, match="absent"):
        parse(tmp_path / "absent.onnx")


def test_a_model_that_breaks_the_rules_is_refused_only_where_it_is_checked():
    proto = parse(models.chain())
    proto.graph.node[1].input[0] = "nowhere"
    assert parse(proto.SerializeToString()) == proto
    with pytest.raises(BadInput, match="nowhere"):
        parse(proto.SerializeToString(), check=True)
