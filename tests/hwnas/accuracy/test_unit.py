"""0.75 is not taken for 0.75 %: a source whose values may be fractions is asked about, in one line."""

import json

import pytest

from hwnas.accuracy import open_accuracy
from hwnas.accuracy.unit import UnclearUnit, Unit
from hwnas.search.config_files import parse
from hwnas.search.objectives import make_objectives
from hwnas.select.parse import parse_budget, parse_preference
from profilers.errors import BadInput
from tests.hwnas.cli.test_search import folder, hwnas  # noqa: F401  fixtures
from tests.hwnas.searching import SPACE, genes

ARCHS = SPACE.decode(genes(3))


def table(path, *values):
    lines = [
        f'{value},"{json.dumps(a.to_json()).replace(chr(34), chr(34) * 2)}"'
        for value, a in zip(values, ARCHS, strict=True)
    ]
    path.write_text("top1,arch\n" + "\n".join(lines) + "\n")
    return f"table:{path}"


def test_a_table_of_fractions_is_refused_and_read_where_it_is_said(tmp_path):
    source = table(tmp_path / "t.csv", 0.75, 0.5, 1.0)
    with pytest.raises(BadInput, match=r'no top1 of .* is above 1; allowed: percent, as in 100, or unit = "fraction"'):
        open_accuracy(source, SPACE)
    opened = open_accuracy(source, SPACE, {"unit": "fraction"})
    assert [opened.evaluate(a) for a in ARCHS] == [75.0, 50.0, 100.0]
    assert open_accuracy(source, SPACE, {"unit": "percent"}).evaluate(ARCHS[0]) == 0.75
    with pytest.raises(BadInput, match="percent, fraction"):
        open_accuracy(source, SPACE, {"unit": "share"})


def test_a_table_of_percent_may_have_bad_networks(tmp_path):
    opened = open_accuracy(table(tmp_path / "t.csv", 0.4, 75.0, 60), SPACE)
    assert [opened.evaluate(a) for a in ARCHS] == [0.4, 75.0, 60.0]
    with pytest.raises(BadInput, match="fraction, 0 to 1"):
        open_accuracy(table(tmp_path / "u.csv", 0.4, 75.0, 60), SPACE, {"unit": "fraction"})
    assert open_accuracy(table(tmp_path / "z.csv", 0, 0, 0), SPACE).evaluate(ARCHS[0]) == 0.0


def test_a_function_is_trusted_once_it_has_answered_above_1():
    unit = Unit(None, "python:f")
    assert unit.percent(0.0) == 0.0
    with pytest.raises(UnclearUnit, match="as in 75"):
        unit.percent(0.75)
    assert [unit.percent(x) for x in (60.0, 0.75)] == [60.0, 0.75]


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--workers", 2]])
def test_a_search_by_fractions_ends_at_once_in_one_line(hwnas, folder, options):  # noqa: F811
    (folder / "my_shares.py").write_text("def top1(arch):\n    return 0.75 + arch['r'] / 1000\n")
    options = ["--set", "accuracy=python:my_shares:top1", *options]
    code, out, err = hwnas("search", folder / "c.toml", "--out", folder / "r", *options)
    assert code == 2 and out == "" and "Traceback" not in err
    assert [line for line in err.splitlines() if line.startswith("hwnas:") and 'unit = "fraction"' in line]
    said = ["--set", 'evaluate.unit="fraction"']
    code, out, err = hwnas("search", folder / "c.toml", "--out", folder / "r", "--resume", *said, *options)
    assert code == 0
    code, out, err = hwnas("archive", folder / "r")
    assert all(75 < json.loads(line)["objectives"]["top1"] < 78 for line in out.splitlines())


def test_limits_of_accuracy_are_percent(tmp_path):
    objectives = make_objectives(SPACE, ("top1", "params"), {})
    with pytest.raises(BadInput, match="as in 76"):
        parse_budget("top1>=0.76", objectives)
    with pytest.raises(BadInput, match="as in 80"):
        parse_preference("top1=0.8", objectives)
    config = {"space": "tiny", "accuracy": "python:m:f"}
    for more in ({"budget": {"top1": 0.7}}, {"hypervolume": {"top1": [0.5, 0.8]}}):
        with pytest.raises(BadInput, match="percent"):
            parse(config | more, tmp_path, "c.toml")
