"""Where benches find the authors' files, and what they say where there are none."""

from __future__ import annotations

import pytest

from hwnas.fetch import FILES
from tools.bench import shared


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """No checkout's neighbour, an empty cache."""
    monkeypatch.setattr(shared, "PUBLISHED", tmp_path / "published")
    monkeypatch.setenv("HWNAS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_file_that_is_not_here_is_one_line_with_the_command_that_gets_it(cache, capsys):
    with pytest.raises(SystemExit, match=r"^hwnas: acc_predictor\.pth is not here; .*hwnas fetch acc_predictor\.pth"):
        shared.run(lambda: shared.public("acc_predictor.pth"))


def test_it_is_taken_from_beside_the_checkout_or_from_the_cache(cache):
    from hwnas.fetch import default_cache

    fetched = default_cache() / FILES["acc_predictor.pth"].path
    beside = shared.PUBLISHED / FILES["acc_predictor.pth"].path
    for path in (fetched, beside):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"x")
        assert shared.public("acc_predictor.pth") == path


def test_the_reference_codes_curves_belong_to_the_problems():
    from tools.bench.search_problem import PROBLEMS, REFERENCE_CURVES, reference

    found = reference()
    for problem in PROBLEMS:
        curves = found["hypervolume"][REFERENCE_CURVES[problem]]
        assert all(len(curve["mean"]) == len(found["evaluations"]) for curve in curves.values())
        assert {"reference-rbf", "nsga2", "random"} <= curves.keys()
