"""Blocks of lines give the genes that lines give one by one, and what is wrong is said of its line."""

import json

import numpy as np
import pytest

from hwnas.space import get_space
from hwnas.space import many_lines as many
from hwnas.space.arch_lines import stated
from hwnas.space.many_lines import genes_of_lines
from profilers.errors import BadInput, FileProblem

SPACE = get_space("tiny")
GENES = SPACE.sample(300, np.random.default_rng(0))
ARCHS = SPACE.decode(GENES)
GOOD = {"ks": [3, 5, 3], "e": [3, 4, 6], "d": [1, 1, 1], "r": 16}


def written(path, lines):
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path


@pytest.mark.parametrize("block", [7, 10_000])
@pytest.mark.parametrize("form", [lambda a: a.to_json(), lambda a: stated(a, SPACE)])
def test_the_genes_of_a_file(tmp_path, monkeypatch, block, form):
    monkeypatch.setattr(many, "BLOCK", block)
    monkeypatch.setattr(many._Reader, "_one_by_one", lambda *_: pytest.fail("line by line"))
    path = written(tmp_path / "a.jsonl", ["", *map(form, ARCHS), "  "])
    space, genes = genes_of_lines(path, SPACE)
    assert (genes == GENES).all() and space == SPACE


def test_other_forms_are_read_line_by_line(tmp_path):
    padded = {"ks": [3, 5, 3] * SPACE.slots, "e": 3, "d": [1, 1, 1], "image_size": 16}
    padded["ks"] = padded["ks"][: SPACE.slots]
    path = written(tmp_path / "a.jsonl", [GOOD, padded])
    _, genes = genes_of_lines(path, SPACE)
    assert (genes == SPACE.encode([SPACE.parse(GOOD), SPACE.parse(padded)])).all()


def test_a_space_with_words(tmp_path):
    space = get_space("small")
    drawn = space.sample(20, np.random.default_rng(1))
    path = written(tmp_path / "a.jsonl", [arch.to_json() for arch in space.decode(drawn)])
    assert (genes_of_lines(path, space)[1] == drawn).all()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({**GOOD, "ks": [3, 5, 9]}, "kernel 9 is not in space tiny"),
        ({**GOOD, "d": [True, 1, 1]}, "'d' of an architecture is"),
        ({**GOOD, "r": 16.0}, "'r' of an architecture is"),
        ({**GOOD, "ks": [3, 5]}, "has 2 entries"),
        ({**GOOD, "ks": [3, [5], 3]}, "'ks' of an architecture is"),
        ({**GOOD, "e": [3, 4, 10**30]}, "expand 10"),
        ({**GOOD, "d": [1, 1]}, "an architecture of 2 stages"),
        ({"arch": GOOD, "space": "mbv3"}, "of space mbv3"),
        ({"arch": GOOD, "space": ["tiny"]}, "the name of a space"),
        ('{"x": [{}', "is not valid JSON"),
        ('{"x": 1},{"y": 2}', "is not valid JSON"),
        ('{"ks": [3], "ks": [3]}', "is not valid JSON"),
        ("7", "an architecture with int"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, line, message):
    path = written(tmp_path / "a.jsonl", [GOOD, GOOD, line, GOOD])
    with pytest.raises(BadInput) as refused:
        genes_of_lines(path, SPACE)
    assert "line 3" in str(refused.value) and message in str(refused.value)


def test_lines_that_contradict_each_other(tmp_path):
    lines = [{"arch": GOOD, "space": "tiny", "classes": n} for n in (3, 4)]
    with pytest.raises(BadInput, match="networks of classes 3 and 4"):
        genes_of_lines(written(tmp_path / "a.jsonl", lines), SPACE)
    assert genes_of_lines(written(tmp_path / "b.jsonl", [GOOD, lines[0]]), SPACE)[0].classes == 3


def test_no_line_no_text_no_file(tmp_path):
    with pytest.raises(BadInput, match="holds no architecture"):
        genes_of_lines(written(tmp_path / "a.jsonl", [" "]), SPACE)
    (tmp_path / "b.jsonl").write_bytes(b'{"ks": "\xff"}\n')
    with pytest.raises((BadInput, FileProblem), match="UTF-8"):
        genes_of_lines(tmp_path / "b.jsonl", SPACE)
    with pytest.raises(FileProblem):
        many.starts_with_a_line(tmp_path / "none.jsonl")
