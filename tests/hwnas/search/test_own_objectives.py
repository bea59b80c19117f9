"""Objectives of one's own: from modules, packages, tables and Python; bounds, directions, and runs without the code."""

import json
import shutil
import sys
import uuid
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import lut
from hwnas.search.config_files import load, parse
from hwnas.search.driver import search
from hwnas.search.front import front
from hwnas.search.made_objectives import made
from hwnas.search.objectives import make_objectives
from hwnas.search.own_objectives import OBJECTIVES, ObjectiveSettings, OwnObjective, find
from hwnas.search.problem import History, Problem
from hwnas.search.run import create_run, open_run, resume_run
from hwnas.select.guaranteed import select_from_run
from hwnas.select.insights import insights
from hwnas.select.parse import parse_budget, parse_preference
from hwnas.space import Architecture
from lut import Entry, LatencyTable, SpaceId
from profilers.base import Options
from profilers.errors import BadInput
from tests.hwnas.search.test_objectives import write_table
from tests.hwnas.searching import CONFIG, SMALL, SPACE, Formula, contents, formula, genes

MODULE = """
calls = []
def energy(layer):
    return 4.6e-6 * layer.madds + 1e-4 * layer.out_channels * layer.size
def score(network):
    calls.append(network["r"])
    assert set(network) >= {"ks", "e", "d", "r", "layers", "params", "madds"}
    return network["madds"] / network["params"] + 99 - 3 * len(network["layers"])
def bad_layer(layer):
    return 1 / (layer.kernel - 5)
def bad_network(network):
    return float("nan")
NUMBER = 3
"""
BRIEF = replace(SMALL, iterations=1)


@pytest.fixture
def module(tmp_path):
    """A module beside the configuration; its name is new, because Python keeps modules by name."""
    name = f"power_{uuid.uuid4().hex}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    return name


@pytest.fixture
def config(tmp_path, module):
    text = f"""
space = "tiny"
accuracy = "given"
objectives = ["top1", "params", "energy_mj", "score"]
[objectives.energy_mj]
source = "layers:{module}:energy"
unit = "mJ"
note = "fitted to a wattmeter"
[objectives.score]
source = "network:python:{module}:score"
direction = "maximise"
[search]
initial = 16
iterations = 1
per_iteration = 4
surrogate = "gp"
population = 16
generations = 4
"""
    (tmp_path / "c.toml").write_text(text)
    return load(tmp_path / "c.toml")


def energy(arch) -> float:
    return sum(4.6e-6 * layer.madds + 1e-4 * layer.out_channels * layer.size for layer in SPACE.layers(arch))


def score(arch) -> float:
    layers = SPACE.layers(arch)
    return sum(x.madds for x in layers) / sum(x.params for x in layers) + 99 - 3 * len(layers)


class TestConfiguration:
    def test_both_spellings_are_one(self, tmp_path, config):
        text = (tmp_path / "c.toml").read_text()
        (tmp_path / "d.toml").write_text(text.replace("[objectives.", "[objective."))
        names = text.partition("objectives = ")[2].partition("\n")[0]
        table = text.replace(f"objectives = {names}\n", "").replace(
            "[search]", f"[objectives]\nnames = {names}\n[search]"
        )
        (tmp_path / "e.toml").write_text(table)
        assert config == load(tmp_path / "d.toml") == load(tmp_path / "e.toml")
        assert config.objective["energy_mj"].unit == "mJ" and config.objectives[2:] == ("energy_mj", "score")

    def test_a_header_inside_a_text_is_left_alone(self, tmp_path, config):
        text = (tmp_path / "c.toml").read_text().replace("[objectives.", "[objective.")
        (tmp_path / "d.toml").write_text(text.replace('"fitted to a wattmeter"', '"""\n[objectives.x]\n"""'))
        assert load(tmp_path / "d.toml").objective["energy_mj"].note == "[objectives.x]\n"

    @pytest.mark.parametrize(
        ("section", "message"),
        [
            ("source = 'layers:none_such:f'", "cannot be imported"),
            ("source = 'layers:MODULE:f'", "no f in"),
            ("source = 'layers:MODULE:NUMBER'", "is not a function"),
            ("source = 'layers:MODULE:bad_layer'", "raises ZeroDivisionError: division by zero; allowed: a number"),
            ("source = 'network:MODULE:bad_network'", "for 66 of the first 66 networks: the value nan"),
            ("source = 'network:MODULE:bad_layer'", "for 66 of the first 66 networks: AttributeError"),
            ("source = 'python:MODULE:NUMBER'", "is int; allowed: an OwnObjective"),
            ("source = 'python:MODULE:calls.append'", "no calls.append"),
            ("source = 'python:MODULE:energy'", "cannot be made: TypeError"),
            ("source = 'wattmeter'", "unknown objective 'wattmeter'; allowed: weight_bytes, peak_memory"),
            ("source = 'given'", "from the program that started"),
            ("unit = 'J'", "unknown objective 'x'"),
            ("source = 'weight_bytes'\nprecision = 'fp8'", "fp32, fp16, bf16, int8"),
        ],
    )
    def test_what_cannot_be_made(self, tmp_path, module, section, message):
        text = 'space = "tiny"\naccuracy = "given"\nobjectives = ["top1", "x"]\n[objective.x]\n'
        (tmp_path / "c.toml").write_text(text + section.replace("MODULE", module))
        with pytest.raises(BadInput, match=message) as caught:
            create_run(tmp_path / "r", load(tmp_path / "c.toml"))
        assert "\n" not in str(caught.value) and not (tmp_path / "r").exists()

    def test_a_name_that_nobody_brings(self):
        with pytest.raises(BadInput, match=r"unknown objective 'energy_mj'.*\[objective.energy_mj\]"):
            replace(CONFIG, objectives=("top1", "energy_mj"))

    def test_built_in_ones_need_no_section(self):
        config = replace(CONFIG, objectives=("top1", "peak_memory"), budget={"weight_bytes": 1e6})
        assert config.own == ("peak_memory", "weight_bytes")
        eight = replace(config, objective={"peak_memory": ObjectiveSettings(precision="int8")})
        whole, small = (made(SPACE, find("peak_memory", c.objective)).high for c in (config, eight))
        assert whole == 4 * small


class TestRun:
    @pytest.fixture
    def run(self, tmp_path, config):
        with create_run(tmp_path / "run", config) as made_run:
            search(made_run, Formula())
            yield made_run

    def test_values_are_the_functions(self, run):
        for row in run.archive.evaluations():
            assert row.objectives["energy_mj"] == pytest.approx(energy(row.arch))
            assert row.objectives["score"] == pytest.approx(score(row.arch))

    def test_each_network_is_computed_once(self, run, module):
        function = sys.modules[module]
        before = len(function.calls)
        run.problem.values(np.array([row.genes for row in run.archive.evaluations()]))
        assert len(function.calls) == before

    def test_without_the_module_it_opens_selects_and_reports(self, run, tmp_path, module):
        from hwnas.report import write_report
        from hwnas.report.load import load_run

        rows = contents(run)
        sys.modules.pop(module)
        (tmp_path / f"{module}.py").unlink()
        shutil.copytree(tmp_path / "run", tmp_path / "elsewhere")
        with open_run(tmp_path / "elsewhere") as again:
            assert contents(again) == rows and module not in sys.modules
            objectives = again.problem.objectives
            assert [(o.unit, o.minimise, o.kind) for o in objectives.values()][2:] == [
                ("mJ", True, "cost"),
                ("", False, "cost"),
            ]
            assert "fitted to a wattmeter" in again.how("energy_mj") and "range of 64" in again.how("score")
            best = max(row.objectives["score"] for row in again.archive.evaluations())
            found = select_from_run(again, budget=dict([parse_budget(f"score>={best}", objectives)]))
            assert [c.evaluation.objectives["score"] for c in found.choices] == [best]
            wish = parse_preference(f"score={best}", objectives)
            assert select_from_run(again, prefer=wish, n=1).choices and select_from_run(again, knee=True).choices
            assert len(insights(again.problem, again.archive.evaluations())) == 4
            with pytest.raises(BadInput, match=r"score of network .* is not in the archive"):
                again.problem.values(genes(1, seed=9))
        write_report(load_run(tmp_path / "elsewhere"), tmp_path / "r.html")
        page = (tmp_path / "r.html").read_text()
        assert "computed by layers" in page and "mJ" in page

    def test_it_is_continued_with_its_code_only(self, run, tmp_path, config, module):
        run.archive.close()
        longer = replace(config, search=replace(config.search, iterations=2))
        shutil.copytree(tmp_path / "run", tmp_path / "copy")
        with resume_run(tmp_path / "copy", longer) as again:
            search(again, Formula())
            kept = contents(again)
        with create_run(tmp_path / "whole", longer) as whole:
            search(whole, Formula())
            assert contents(whole) == kept
        path = tmp_path / f"{module}.py"
        # Each text has another length: Python takes compiled code of the same second and length for the same code
        path.write_text(MODULE.replace("4.6e-6", "4.75e-6"))
        sys.modules.pop(module)
        with pytest.raises(BadInput, match="the code of objective energy_mj gives other values"):
            resume_run(tmp_path / "run", longer)
        path.write_text(MODULE.replace("99 -", "98.25 -"))
        sys.modules.pop(module)
        with pytest.raises(BadInput, match="the code of objective score gives other values"):
            resume_run(tmp_path / "run", longer)
        other = replace(longer, objective={**longer.objective, "score": ObjectiveSettings("network:m:g")})
        with pytest.raises(BadInput, match="objective was"):
            resume_run(tmp_path / "run", other)

    def test_a_damaged_file_is_one_line(self, run, tmp_path):
        run.archive.close()
        path = tmp_path / "run" / "objectives.json"
        good = json.loads(path.read_text())
        for damage, message in [
            (lambda x: x.pop("score"), "lacks objective score"),
            (lambda x: x["score"].pop("unit"), "lacks unit"),
            (lambda x: x["energy_mj"]["lookup"]["base"].pop(), "another space"),
            (lambda x: x["energy_mj"]["lookup"]["cost"][0].pop(), "damaged"),
            (lambda x: x["energy_mj"]["lookup"].update(cost=["a"]), "damaged"),
        ]:
            bad = json.loads(json.dumps(good))
            damage(bad)
            path.write_text(json.dumps(bad))
            with pytest.raises(BadInput, match=message):
                open_run(tmp_path / "run")

    def test_what_a_run_names_is_never_imported(self, run, tmp_path):
        run.archive.close()
        text = (tmp_path / "run/run.toml").read_text()
        (tmp_path / "evil.py").write_text("raise SystemExit\n")
        (tmp_path / "run/run.toml").write_text(
            text.replace('energy"', 'energy"\nprecision = "fp32"').replace(
                'accuracy = "given"', f'accuracy = "python:{tmp_path}/evil:f"'
            )
        )
        with open_run(tmp_path / "run") as again:
            assert again.config.accuracy.endswith("evil:f") and "evil" not in sys.modules


class TestDirections:
    def problem(self, **more):
        names = ("top1", "reward")
        own = made(SPACE, OwnObjective("reward", layers=lambda x: float(x.madds), direction="maximise"))
        return Problem(SPACE, make_objectives(SPACE, names, {}, own={"reward": own}), names, **more)

    def test_what_is_maximised_is_a_cost_turned_round(self):
        plain = Problem(SPACE, make_objectives(SPACE, ("top1", "madds"), {}), ("top1", "madds"))
        g = genes(30)
        np.testing.assert_allclose(self.problem().costs(g), 1 - plain.costs(g))

    def test_a_budget_is_the_least(self):
        g = genes(40)
        values = self.problem().values(g)["reward"]
        limit = float(np.median(values))
        problem = self.problem(budget={"reward": limit})
        np.testing.assert_array_equal(problem.excess(g) <= 0, values >= limit)
        assert (problem.costs(g)[values < limit] > 1).all() and (problem.costs(g)[values >= limit] <= 1).all()
        past = History(g, np.array([formula(a) for a in SPACE.decode(g)]))
        assert set(map(bytes, problem.front(past)[0].genes)) <= set(map(bytes, g[values >= limit]))
        with pytest.raises(BadInput, match="above the space's best network; allowed: at most"):
            self.problem(budget={"reward": 1e12})

    def test_a_search_finds_its_large_end(self, tmp_path):
        config = replace(
            CONFIG,
            objectives=("top1", "params", "reward"),
            search=BRIEF,
            objective={"reward": ObjectiveSettings("given", direction="maximise")},
        )
        own = {"reward": OwnObjective("reward", layers=lambda x: float(x.madds), direction="maximise")}
        with create_run(tmp_path / "r", config, own) as run:
            search(run, Formula())
            best = max(run.archive.evaluations(), key=lambda e: e.objectives["reward"])
            assert best.arch.id in {e.arch.id for e in front(run.problem, run.archive.evaluations())}
        with resume_run(tmp_path / "r", config, own) as run:
            assert run.archive.iterations()[-1]["iteration"] == 1
        with pytest.raises(BadInput, match="from the program that started"):
            resume_run(tmp_path / "r", config)

    def test_budgets_that_no_network_keeps_together_end_the_search(self, tmp_path):
        own = {"reward": OwnObjective("reward", layers=lambda x: float(x.madds), direction="maximise")}
        config = replace(
            CONFIG,
            objectives=("top1", "params", "reward"),
            search=BRIEF,
            objective={"reward": ObjectiveSettings("given", direction="maximise")},
            budget={"params": 20_000.0, "reward": 500_000.0},
        )
        with create_run(tmp_path / "r", config, own) as run:
            assert "no new one within the budget (params 20000, reward 500000)" in search(run, Formula())

    def test_signs_in_budgets(self):
        objectives = self.problem().objectives
        assert parse_budget("reward>=2", objectives) == ("reward", 2.0)
        with pytest.raises(BadInput, match="reward >= a limit"):
            parse_budget("reward<=2", objectives)


class TestBounds:
    def test_they_are_exact_where_the_smallest_network_is_not_the_cheapest(self):
        space = replace(SPACE, kernels=(3, 5), expands=(3, 6), depths=(1, 2), resolutions=(12, 20))
        rng = np.random.default_rng(0)
        cost = {layer.key: float(rng.normal()) for layer in space.all_layers()}
        for combine in ("sum", "largest"):
            objective = made(space, OwnObjective("odd", layers=lambda x: cost[x.key], combine=combine))
            values = objective.evaluate(space.all_genes())
            assert (values.min(), values.max()) == pytest.approx((objective.low, objective.high))
            layers = [[cost[x.key] for x in space.layers(a)] for a in space.decode(space.all_genes()[::97])]
            expected = [sum(x) if combine == "sum" else max(x) for x in layers]
            np.testing.assert_allclose(values[::97], expected)

    def test_counts_are_normalised_as_before(self):
        for name, objective in make_objectives(SPACE, ("params", "madds"), {}).items():
            low, high = objective.evaluate(SPACE.encode(SPACE.extremes()))
            assert (objective.low, objective.high) == (low, high), name

    def test_a_budget_that_only_a_tables_cheapest_networks_keep_is_taken(self, tmp_path):
        entries = {layer.key: Entry(0.01 / layer.kernel, 0.0, 1) for layer in SPACE.all_layers()}
        table = LatencyTable(SpaceId.of(SPACE), entries, "measured", "in-context", "a device", Options())
        lut.save(table, tmp_path / "t.json")
        objectives = make_objectives(SPACE, ["top1", "phone"], {"phone": tmp_path / "t.json"})
        objective, names = objectives["phone"], ("top1", "phone")
        depth = [min(choices) for choices in SPACE.depth_choices]
        cheapest = Architecture(tuple(depth), (7,) * sum(depth), (3,) * sum(depth), SPACE.resolutions[0])
        assert objective.least == pytest.approx(objective.evaluate(SPACE.encode([cheapest]))[0])
        assert objective.least < objective.low
        Problem(SPACE, objectives, names, {"phone": (objective.least + objective.low) / 2})
        with pytest.raises(BadInput, match="below the space's smallest network; allowed: at least"):
            Problem(SPACE, objectives, names, {"phone": 0.9 * objective.least})


class TestTables:
    def test_any_name_and_any_unit(self, tmp_path):
        path = write_table(tmp_path / "t.json")
        text = f"""
space = "tiny"
accuracy = "given"
objectives = ["top1", "phone", "energy"]
[tables]
phone = "{path.name}"
[objectives.energy]
source = "table:{path.name}"
unit = "mJ"
"""
        (tmp_path / "c.toml").write_text(text)
        config = replace(load(tmp_path / "c.toml"), search=BRIEF)
        with create_run(tmp_path / "r", config) as run:
            search(run, Formula())
        path.unlink()
        shutil.move(tmp_path / "r", tmp_path / "s")
        with open_run(tmp_path / "s") as run:
            kinds = {name: (o.kind, o.unit) for name, o in run.problem.objectives.items()}
            assert kinds["phone"] == ("latency", "ms") and kinds["energy"] == ("cost", "mJ")
            row = run.archive.evaluations()[3]
            assert row.objectives["phone"] == row.objectives["energy"] > 0
            assert set(run.tables) == {"phone", "energy"} and select_from_run(run, n=2).choices


def test_bytes_in_budgets():
    own = made(SPACE, find("peak_memory", {}))
    assert parse_budget("peak_memory<=1.5MiB", {"peak_memory": own}) == ("peak_memory", 1.5 * 2**20)
    assert parse_budget("peak_memory<=300", {"peak_memory": own}) == ("peak_memory", 300.0)
    with pytest.raises(BadInput, match=r"300KiB or 1\.5MiB"):
        parse_budget("peak_memory<=1.5Mb", {"peak_memory": own})


def test_a_package_brings_one(tmp_path, monkeypatch):
    (tmp_path / "brought_energy.py").write_text(
        "from hwnas.search.own_objectives import OwnObjective\n"
        "energy = OwnObjective('e', layers=lambda x: 1e-6 * x.madds, unit='mJ')\n"
    )
    info = tmp_path / "brought_energy-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: brought-energy\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[hwnas.objectives]\nenergy_mj = brought_energy:energy\n")
    monkeypatch.syspath_prepend(tmp_path)
    try:
        config = parse(
            {"space": "tiny", "accuracy": "given", "objectives": ["top1", "energy_mj"]}, Path(tmp_path), "c.toml"
        )
        with create_run(tmp_path / "r", config) as run:
            o = run.problem.objectives["energy_mj"]
            assert (o.name, o.unit, o.status) == ("energy_mj", "mJ", "computed")
    finally:
        OBJECTIVES._found.pop("energy_mj", None)
        sys.modules.pop("brought_energy", None)
    monkeypatch.undo()
    with open_run(tmp_path / "r") as run:  # without the package
        assert run.problem.objectives["energy_mj"].unit == "mJ"


def test_what_is_no_objective():
    with pytest.raises(BadInput, match="neither; allowed: layers or network"):
        OwnObjective("e")
    with pytest.raises(BadInput, match="minimise, maximise"):
        OwnObjective("e", layers=len, direction="up")
