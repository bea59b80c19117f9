"""Spaces and budgets that run out: the search ends well, with all there is and one line that says why."""

from dataclasses import replace

import numpy as np
import pytest

from hwnas.search import archive as archives
from hwnas.search.driver import search
from hwnas.search.problem import Problem
from hwnas.search.run import Run, create_run, open_run, resume_run
from hwnas.search.run import _meta as meta
from profilers.errors import BadInput
from tests.hwnas.searching import CONFIG, SMALL, SPACE, Formula, genes


def small(kernels=(3,), expands=(3,), depths=(1, 2), resolutions=(12,)):
    return replace(SPACE, kernels=kernels, expands=expands, depths=depths, resolutions=resolutions)


def empty_in(space, folder, **changes):
    """A new run in a space that no configuration names."""
    from hwnas.search.objectives import make_objectives

    objectives = make_objectives(space, ("top1", "params", "madds"), {})
    problem = Problem(space, objectives, ("top1", "params", "madds"))
    config = replace(CONFIG, search=replace(SMALL, **changes))
    return Run(folder, config, problem, archives.create(folder / "archive.sqlite", meta(problem)))


def run_in(space, folder, **changes):
    """A finished run in such a space, and why it ended."""
    run = empty_in(space, folder, **changes)
    return run, search(run, Formula())


def test_every_network_is_listed_once():
    space = small(kernels=(3, 5), resolutions=(12, 14))
    coded = space.all_genes()
    assert space.size == len(coded) == len(np.unique(coded, axis=0)) == 2 * (2 + 4) ** 3
    assert (space.canonical(coded) == coded).all()
    drawn = {row.tobytes() for row in space.sample(20_000, np.random.default_rng(0))}
    assert drawn == {row.tobytes() for row in coded}


@pytest.mark.slow
@pytest.mark.parametrize("surrogate", ["gp", "auto", "rbf", "cart"])
@pytest.mark.parametrize("initial", [4, 100])
def test_a_space_of_eight_networks_is_evaluated_whole(tmp_path, surrogate, initial):
    run, ended = run_in(small(), tmp_path, initial=initial, surrogate=surrogate)
    with run:
        assert len({e.arch.id for e in run.archive.evaluations()}) == small().size == 8
        assert "all networks of the space are evaluated, 8 in all" in ended


@pytest.mark.parametrize("strategy", ["msunas", "random", "nsga2"])
@pytest.mark.parametrize(("space", "size"), [(small(depths=(1,)), 1), (small(depths=(1,), resolutions=(12, 14)), 2)])
def test_spaces_of_one_and_two_networks(tmp_path, strategy, space, size):
    run, ended = run_in(space, tmp_path, strategy=strategy)
    with run:
        assert len(run.archive.evaluations()) == space.size == size and "all networks" in ended


@pytest.mark.slow
def test_fewer_candidates_than_an_iteration_wants(tmp_path):
    run, ended = run_in(small(), tmp_path, initial=5, per_iteration=40)
    with run:
        assert [e.iteration for e in run.archive.evaluations()] == [0] * 5 + [1] * 3 and "iteration 2" in ended


@pytest.mark.parametrize("choose", ["hypervolume", "paper"])
@pytest.mark.parametrize("surrogate", ["gp", "auto"])
def test_a_budget_that_only_the_smallest_network_keeps(tmp_path, choose, surrogate):
    low = Problem(SPACE, _objectives(), ("top1", "params", "madds")).objectives["params"].low
    config = replace(CONFIG, resolutions=(12,), budget={"params": low},
                     search=replace(SMALL, choose=choose, surrogate=surrogate))  # fmt: skip
    with create_run(tmp_path / "r", config) as run:
        ended = search(run, Formula())
        assert len(run.archive.evaluations()) == 2 and f"within the budget (params {low:g})" in ended
    with resume_run(tmp_path / "r", config) as run:
        assert search(run, Formula()) == ended
    with open_run(tmp_path / "r") as run:
        assert len(run.archive.iterations()) == 1


def test_the_least_budget_that_is_named_is_allowed():
    objectives = _objectives()
    with pytest.raises(BadInput) as caught:
        Problem(SPACE, objectives, ("top1", "params"), {"params": 5.0})
    Problem(SPACE, objectives, ("top1", "params"), {"params": float(caught.value.allowed.split()[-1])})
    assert len(genes(1)) == 1


def _objectives():
    from hwnas.search.objectives import make_objectives

    return make_objectives(SPACE, ("top1", "params", "madds"), {})
