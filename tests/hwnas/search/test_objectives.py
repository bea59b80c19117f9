"""Latency tables as objectives: values, status, bounds, the run's own copy, and tables that do not fit."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

import lut
from hwnas.search.objectives import make_objectives
from hwnas.search.run import create_run, open_run, resume_run
from hwnas.space import get_space
from lut import Entry, LatencyTable, SpaceId
from profilers.base import Options
from profilers.errors import BadInput, TableError
from tests.hwnas.searching import CONFIG, SPACE, genes, run_search


def write_table(path, space=SPACE, status="measured", scale=1e-6):
    entries = {layer.key: Entry(layer.madds * scale + 1e-4, 0.0, 1) for layer in space.all_layers()}
    lut.save(LatencyTable(SpaceId.of(space), entries, status, "in-context", "test device", Options()), path)
    return path


@pytest.mark.parametrize(
    ("status", "shown"),
    [
        ("measured", "measured-table"),
        ("fitted", "fitted-table"),
        ("imported", "imported-table"),
        ("estimated", "estimated"),
    ],
)
def test_values_are_the_tables_and_say_how_they_came_about(tmp_path, status, shown):
    path = write_table(tmp_path / "t.json", status=status)
    objective = make_objectives(SPACE, ["cpu_ms"], {"cpu_ms": path})["cpu_ms"]
    g = genes(20)
    expected = [sum(layer.madds * 1e-6 + 1e-4 for layer in SPACE.layers(a)) for a in SPACE.decode(g)]
    np.testing.assert_allclose(objective.evaluate(g), expected)
    assert (objective.status, objective.unit, objective.minimise) == (shown, "ms", True)
    assert objective.low <= min(expected) <= max(expected) <= objective.high


def test_a_run_keeps_its_own_copy(tmp_path):
    config = {"objectives": ("top1", "cpu_ms"), "tables": {"cpu_ms": write_table(tmp_path / "t.json")}, "iterations": 1}
    with run_search(tmp_path / "run", **config) as run:
        rows = run.archive.evaluations()
    (tmp_path / "t.json").unlink()
    shutil.move(tmp_path / "run", tmp_path / "elsewhere")
    with open_run(tmp_path / "elsewhere") as again:
        values = again.problem.values(np.array([e.genes for e in rows]))["cpu_ms"]
    np.testing.assert_allclose([e.objectives["cpu_ms"] for e in rows], values)


def test_another_table_is_another_run(tmp_path):
    config = replace(CONFIG, objectives=("top1", "cpu_ms"), tables={"cpu_ms": write_table(tmp_path / "t.json")})
    create_run(tmp_path / "run", config).archive.close()
    resume_run(tmp_path / "run", config).archive.close()
    write_table(tmp_path / "t.json", scale=2e-6)
    with pytest.raises(BadInput, match="tables differ"):
        resume_run(tmp_path / "run", config)


def test_tables_that_do_not_fit(tmp_path):
    other = write_table(tmp_path / "other.json", get_space("mbv3", (224,)))
    with pytest.raises(TableError, match="for space 'tiny'"):
        make_objectives(SPACE, ["cpu_ms"], {"cpu_ms": other})
    good = write_table(tmp_path / "good.json")
    good.write_text(good.read_text()[:-200])
    with pytest.raises(TableError):
        make_objectives(SPACE, ["cpu_ms"], {"cpu_ms": good})
    (tmp_path / "x.json").write_text(json.dumps({"a": 1}))
    with pytest.raises(TableError):
        make_objectives(SPACE, ["cpu_ms"], {"cpu_ms": tmp_path / "x.json"})
