"""Objective transfer and insights: what another run's front has chosen."""

import json
from dataclasses import replace

import numpy as np
import pytest

from hwnas.search import run as runs
from hwnas.search import transfer
from hwnas.search.driver import search
from hwnas.search.hypervolume import nondominated
from hwnas.search.run import create_run, open_run, resume_run
from hwnas.select.insights import insights
from hwnas.space import get_space
from profilers.errors import BadInput, FileProblem
from tests.hwnas.searching import CONFIG, SMALL, SPACE, Formula, contents, genes, run_search


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    with run_search(tmp_path_factory.mktemp("source") / "r", objectives=("top1", "madds")) as run:
        yield run


def target(source):
    return replace(CONFIG, objectives=("top1", "params"), init_from=source.folder)


class TestSampling:
    def test_samples_are_canonical_networks_of_the_space(self):
        found = transfer.sample_like(SPACE, genes(9), 200, np.random.default_rng(0))
        assert found.shape == (200, SPACE.n_genes) and (SPACE.canonical(found) == found).all()

    def test_samples_follow_the_front_and_leave_nothing_out(self):
        small, large = SPACE.encode(SPACE.extremes())
        front = np.array([small] * 10 + [large] * 10)
        found = transfer.sample_like(SPACE, front, 2000, np.random.default_rng(0))
        ends = np.isin(found[:, 0], (small[0], large[0])).mean()
        assert ends > 0.85 and len(np.unique(found[:, 0])) == len(SPACE.resolutions)
        # choices of one sample belong together: small resolutions go with small kernels
        low, high = found[found[:, 0] == small[0]], found[found[:, 0] == large[0]]
        assert (low[:, 1] == small[1]).mean() > 0.75 and (high[:, 1] == large[1]).mean() > 0.75

    def test_frequencies_of_a_front_of_one(self):
        one = genes(1)
        found = transfer.sample_like(SPACE, one, 4000, np.random.default_rng(0))
        share = (found[:, 0] == one[0, 0]).mean()
        smooth = transfer.SMOOTHING
        assert share == pytest.approx((1 + smooth / len(SPACE.resolutions)) / (1 + smooth), abs=0.03)

    def test_by_size(self):
        found = transfer.by_size(SPACE, genes(30))
        madds = [sum(layer.madds for layer in SPACE.layers(arch)) for arch in SPACE.decode(found)]
        assert madds == sorted(madds)


class TestInitFrom:
    @pytest.mark.slow
    def test_the_initial_networks_are_drawn_like_the_front(self, source, tmp_path):
        with create_run(tmp_path / "r", target(source)) as run:
            search(run, Formula())
            rows = run.archive.evaluations()
            assert tuple(e.arch for e in rows[:2]) == SPACE.extremes()
            assert len({e.arch.id for e in rows}) == SMALL.evaluations
            assert f'init_from = "{source.folder}"' in (run.folder / "run.toml").read_text()
            front = SPACE.encode(runs.front_of(source.folder, SPACE))
            drawn = np.array([e.genes for e in rows[2:16]])
            near, any_others = (np.mean([(front != g).sum(axis=1).min() for g in some]) for some in (drawn, genes(400)))
            assert near < any_others - 0.5

    @pytest.mark.slow
    def test_same_seed_same_run_even_when_the_source_is_gone(self, source, tmp_path):
        with create_run(tmp_path / "a", target(source)) as whole:
            search(whole, Formula())
        with create_run(tmp_path / "b", target(source)):
            pass  # killed before its first proposal
        source_archive = source.folder / "archive.sqlite"
        hidden = source_archive.rename(source.folder / "hidden")
        try:
            with resume_run(tmp_path / "b", target(source)) as again:
                search(again, Formula())
        finally:
            hidden.rename(source_archive)
        with open_run(tmp_path / "a") as a, open_run(tmp_path / "b") as b:
            assert contents(a) == contents(b)

    def test_another_space_is_refused_before_anything_is_written(self, source, tmp_path):
        config = replace(CONFIG, space="mbv3", objectives=("top1", "madds"), init_from=source.folder)
        with pytest.raises(BadInput, match=r"run of space tiny \(\w+\); allowed: a run of mbv3"):
            create_run(tmp_path / "r", config)
        assert not (tmp_path / "r").exists()

    def test_no_run_there(self, tmp_path):
        with pytest.raises(FileProblem, match="holds no run"):
            create_run(tmp_path / "r", replace(CONFIG, init_from=tmp_path / "nothing"))

    def test_a_front_without_networks(self, tmp_path):
        with create_run(tmp_path / "empty", CONFIG), pytest.raises(BadInput, match="evaluated no network"):
            create_run(tmp_path / "r", replace(CONFIG, init_from=tmp_path / "empty"))

    @pytest.mark.parametrize("text", ["{}", "[1]", '[{"r": 8}]', '[{"r": "x", "d": [], "ks": [], "e": []}]', "bad"])
    def test_a_damaged_copy(self, tmp_path, text):
        (tmp_path / "start.json").write_text(text)
        with pytest.raises(BadInput):
            runs.read_start(tmp_path / "start.json", SPACE)

    def test_other_resolutions_become_the_nearest(self, tmp_path):
        few = get_space("tiny", SPACE.resolutions[:1])
        runs.write_start(tmp_path / "s.json", SPACE.extremes())
        found = runs.read_start(tmp_path / "s.json", few)
        assert {arch.r for arch in few.decode(found)} == {few.resolutions[0]} and len(found) == 2


class TestInsights:
    def test_a_front_for_each_pair_and_for_all(self, tmp_path):
        with run_search(tmp_path / "r") as run:
            rows = run.archive.evaluations()
            found = insights(run.problem, rows)
        assert [i.objectives for i in found] == [("top1", "params"), ("top1", "madds"), ("top1", "params", "madds")]
        F = np.array([[-e.objectives["top1"], e.objectives["params"]] for e in rows])
        archs = [e.arch for e, kept in zip(rows, nondominated(F), strict=True) if kept]
        assert found[0].shares.networks == len(archs)
        kernels = [k for a in archs for k in a.ks]
        assert found[0].overall["kernel"][5] == pytest.approx(kernels.count(5) / len(kernels))
        value = json.loads(json.dumps(found[0].to_json(), allow_nan=False))
        assert value["kernel"]["choices"] == list(SPACE.kernels) and len(value["kernel"]["by_layer"]) == SPACE.slots
        assert len(value["depth"]["by_block"]) == len(SPACE.stages)
        for kind in ("kernel", "expand", "depth", "resolution"):
            assert sum(value[kind]["overall"]) == pytest.approx(1)

    def test_one_pair_is_said_once_and_no_network_is_no_share(self, source):
        (one,) = insights(source.problem, [])
        assert one.shares.networks == 0 and one.to_json()["kernel"]["by_layer"] == [None] * SPACE.slots
