"""A search among the networks of a table of accuracies."""

import csv
import json

import numpy as np
import pytest

import hwnas
from hwnas.accuracy.table import AccuracyTable
from hwnas.cli import main
from profilers.errors import BadInput
from tests.hwnas.searching import SPACE, formula, genes

KNOWN = 30
OPTIONS = {"objectives": ["top1", "params"], "initial": 8, "iterations": 3, "per_iteration": 4}


def write(path, archs, **columns):
    with path.open("w") as file:
        rows = csv.writer(file)
        rows.writerow(["arch", "top1", *columns])
        for i, arch in enumerate(archs):
            rows.writerow([json.dumps(arch.to_json()), formula(arch), *(values[i] for values in columns.values())])
    return f"table:{path}"


@pytest.fixture
def archs():
    return SPACE.decode(genes(KNOWN, 5))


@pytest.mark.parametrize("strategy", ["msunas", "random", "nsga2"])
def test_only_the_tables_networks_are_evaluated(tmp_path, archs, strategy):
    source, how = write(tmp_path / "t.csv", archs), {"search": {"strategy": strategy, "surrogate": "gp"}}
    run = hwnas.search(SPACE, source, **OPTIONS, settings=how, out=tmp_path / "run")
    found = run.evaluations
    assert len(found) == 8 + 3 * 4 and {row.status for row in found} == {"ok"}
    assert {row.arch.id for row in found} <= {arch.id for arch in archs}
    size = {arch.id: sum(x.madds for x in SPACE.layers(arch)) for arch in archs}
    assert {found[0].arch.id, found[1].arch.id} == {min(size, key=size.get), max(size, key=size.get)}


def test_it_ends_when_all_within_the_budget_are_evaluated(tmp_path, archs):
    params = sorted(sum(x.params for x in SPACE.layers(arch)) for arch in archs)
    source = write(tmp_path / "t.csv", archs)
    wanted = OPTIONS | {"iterations": 20, "budget": {"params": float(params[19])}}
    how = {"search": {"surrogate": "gp"}}
    run = hwnas.search(SPACE, source, **wanted, settings=how, out=tmp_path / "run")
    assert len(run.evaluations) == 20 + 1  # the largest network tells how far accuracy reaches
    assert f"all networks whose accuracy is known within the budget (params {params[19]:g}) are" in run.ended_early
    again = hwnas.search(SPACE, source, **wanted, settings=how, out=tmp_path / "run")
    assert again.ended_early == run.ended_early and len(again.evaluations) == 21


def test_their_number_is_said_and_the_command_ends_well(tmp_path, archs, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "t.csv", archs[:6])
    (tmp_path / "c.toml").write_text(
        'space = "tiny"\naccuracy = "table:t.csv"\nobjectives = ["top1", "params"]\nbudget.params = 1e9\n'
        '[search]\ninitial = 4\niterations = 9\nper_iteration = 2\nsurrogate = "rbf"'
    )
    with pytest.raises(SystemExit) as end:
        main(["search", "c.toml", "--out", "run"])
    said = capfd.readouterr().err
    assert end.value.code == 0
    assert "searched among the 6 networks whose accuracy is known, of which 6 are within the budget" in said
    assert "ended before iteration 2: all networks whose accuracy is known within the budget" in said


def test_a_budget_that_none_keeps_is_refused(tmp_path, archs):
    budget = {"params": 16000.0}
    source = write(tmp_path / "t.csv", archs)
    with pytest.raises(BadInput, match="none of the 30 networks is within params 16000; try: a larger budget"):
        hwnas.search(SPACE, source, **OPTIONS, budget=budget, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


class TestTable:
    def test_networks_of_another_space_are_refused_by_their_row(self, tmp_path, archs):
        other = hwnas.get_space("small")
        source = write(tmp_path / "t.csv", [*archs[:2], other.extremes()[1]])
        with pytest.raises(BadInput, match=r"t\.csv, line 4: .*; allowed: "):
            hwnas.search(SPACE, source, **OPTIONS, out=tmp_path / "run")
        assert not (tmp_path / "run").exists()

    def test_an_id_that_is_another_networks_is_refused(self, tmp_path, archs):
        source = write(tmp_path / "t.csv", archs[:2], id=[archs[0].id, archs[0].id])
        with pytest.raises(BadInput, match=f"line 3: id {archs[0].id} with the architecture of {archs[1].id}"):
            hwnas.search(SPACE, source, **OPTIONS, out=tmp_path / "run")

    def test_ids_alone_serve_in_a_small_space_only(self, tmp_path, archs):
        (tmp_path / "t.csv").write_text(f"id,top1\n{archs[0].id},90\n")
        with pytest.raises(BadInput, match=f"names network {archs[0].id} by its id alone; allowed: a column arch"):
            AccuracyTable(tmp_path / "t.csv", SPACE).networks()
        small = hwnas.SearchSpace(
            "one", (hwnas.Stage(16, 2, "relu", False),), resolutions=(32,), stem=8, final=64, mix=0, classes=3,
            depths=(1, 2), kernels=(3, 5),
        )  # fmt: skip
        known = small.all_genes()[3:5]
        ids = [arch.id for arch in small.decode(known)]
        (tmp_path / "t.csv").write_text("id,top1\n" + "".join(f"{key},90\n" for key in ids))
        assert np.array_equal(AccuracyTable(tmp_path / "t.csv", small).networks(), known)
        (tmp_path / "t.csv").write_text("id,top1\n0123456789,90\n")
        with pytest.raises(BadInput, match=r"network 0123456789 of .*allowed: ids of networks of space one"):
            AccuracyTable(tmp_path / "t.csv", small).networks()
