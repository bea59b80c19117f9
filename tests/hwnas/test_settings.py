"""Reading of TOML with overrides, and configurations of training out of it (the layer: tests/profilers)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwnas.settings import build, override, read_toml
from hwnas.train.config import FinetuneConfig, Phase, SupernetConfig
from profilers.errors import BadInput

SUPERNET = {"space": "tiny", "dataset": "digits", "out": "x"}


def test_overrides_of_sections_and_lists(tmp_path):
    (tmp_path / "c.toml").write_text("a = 1\n[[phases]]\nlr = 1\n")
    data = read_toml(tmp_path / "c.toml", ["phases.0.lr=2", "b.c=x y", "a=[1, 2]"], {"a": 0, "z": 3})
    assert data == {"a": [1, 2], "z": 3, "phases": [{"lr": 2}], "b": {"c": "x y"}}


@pytest.mark.parametrize("item", ["a", "=1", "a.b=1", "phases.1.lr=1", "phases.x.lr=1", "phases.0=1"])
def test_overrides_that_fit_nowhere(item):
    with pytest.raises(BadInput, match="--set"):
        override({"a": 1, "phases": [{}]}, item)


@pytest.mark.slow
@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_are_tables_or_one_line(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(data)
    try:
        assert isinstance(read_toml(path), dict)
    except BadInput as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize("text", ["a = 1" + "0" * 5000, "a = " + "[" * 5000, 'a = "\ud800"', "a = 99999-01-01", "\0"])
def test_hostile_toml_is_one_line(tmp_path, text):
    (tmp_path / "c.toml").write_bytes(text.encode(errors="surrogatepass"))
    with pytest.raises(BadInput, match=r"not valid TOML|not UTF-8"):
        read_toml(tmp_path / "c.toml")


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"phases": []}, "c.toml: phases = []; allowed: a list, 1 or more"),
        ({"phases": [{"name": "a", "epochs": 0, "lr": 1}]},
         "c.toml: phases.0.epochs = 0; allowed: a whole number, 1 to 1000000"),
        ({"recipe": {"batch": 1}}, "c.toml: recipe.batch = 1; allowed: a whole number, 2 to 1000000"),
        ({"device": "cude"}, "c.toml: device = 'cude'; allowed: auto, cpu, cuda; try: cuda"),
        ({"resolutions": "12:x"},
         "c.toml: resolutions '12:x'; allowed: FIRST:LAST:STEP, as in 192:256:4, or a list, "
         "as in 160,192,224"),
        ({"recipe": {"learn": 1}},
         "c.toml: recipe: unknown key 'learn'; allowed: batch, momentum, weight_decay, warmup, "
         "label_smoothing, distill, dropout, precision, class_weights"),
        ({"recipe": 3}, "c.toml: recipe = 3; allowed: a section"),
        ({"threads": 10**9}, "c.toml: threads = 1000000000; allowed: a whole number, 0 to 1024"),
    ],
)  # fmt: skip
def test_training_that_does_not_fit(changes, line):
    with pytest.raises(BadInput) as caught:
        build(SupernetConfig, SUPERNET | changes, "c.toml")
    assert str(caught.value) == line


def test_training_as_it_is_written():
    found = build(
        SupernetConfig, SUPERNET | {"resolutions": "12:16:4", "phases": [{"name": "a", "epochs": 1, "lr": 1}]}, ""
    )
    assert found.resolutions == (12, 16) and found.phases == (Phase("a", 1, 1.0),)
    with pytest.raises(BadInput, match=r"c\.toml: teacher without supernet; allowed: supernet = FILE"):
        build(FinetuneConfig, SUPERNET | {"archs": "a", "teacher": True}, "c.toml")
