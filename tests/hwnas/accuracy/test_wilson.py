"""Wilson's interval against SciPy's, Newcombe's against examples of his paper."""

import numpy as np
import pytest
from scipy.stats import binomtest

from hwnas.accuracy.wilson import Drop, alike, drop, optimistic, wilson


@pytest.mark.parametrize(
    ("right", "images"), [(0, 36), (1, 36), (33, 36), (36, 36), (44, 48), (255, 360), (9000, 10000)]
)
def test_wilson_is_scipys(right, images):
    expected = binomtest(right, images).proportion_ci(0.95, method="wilson")
    assert wilson(100 * right / images, images) == pytest.approx((100 * expected.low, 100 * expected.high), abs=1e-9)


def pairs(both, lost, won, none):
    reference = [True] * (both + lost) + [False] * (won + none)
    candidate = [True] * both + [False] * lost + [True] * won + [False] * none
    return np.array(reference), np.array(candidate)


@pytest.mark.parametrize(
    ("cells", "low", "high"),  # Newcombe 1998, paired, table III, method 10
    [((36, 12, 2, 0), 0.0569, 0.3404), ((54, 0, 0, 0), -0.0664, 0.0664)],
)
def test_paired_differences_are_newcombes(cells, low, high):
    found = drop(*pairs(*cells))
    assert (found.low, found.high) == pytest.approx((100 * low, 100 * high), abs=0.011)
    assert (found.lost, found.won, found.images) == (cells[1], cells[2], sum(cells))


def test_one_image_of_36_decides_nothing_and_many_of_10000_do():
    few = drop(*pairs(33, 1, 0, 2))
    assert few.points == pytest.approx(100 / 36) and few.low < 0.5 < few.high and not few.decides(0.5)
    assert drop(*pairs(9000, 10, 10, 980)).decides(0.5)
    many = drop(*pairs(8800, 200, 20, 980))
    assert many.low > 0.5 and many.decides(0.5)
    assert Drop(0.0, -0.1, 0.2, 1, 1, 2000).decides(0.5)


def test_networks_that_cannot_be_told_apart():
    assert alike(91.67, 85.42, 48) and not alike(91.67, 60.0, 48)
    assert not alike(91.67, 90.0, 10_000) and alike(91.67, 91.3, 10_000)
    assert alike(80.0, 80.0, None) and not alike(80.0, 79.9, None)


def test_the_best_of_many_on_few_images_is_warned_of():
    line = optimistic(91.67, 48, 30)
    assert "best of 30" in line and "48 images" in line and "80.5 to 96.7" in line
    assert optimistic(91.67, 48, 2) == optimistic(91.67, None, 30) == ""


def test_auto_says_where_the_images_do_not_suffice():
    from hwnas.export.engine_selection import undecided, why
    from tests.hwnas.export.test_engine_selection import candidate

    few, many = candidate("int8", 1.0), candidate("fp32", 2.0)
    few.drop, many.drop = drop(*pairs(34, 0, 0, 2)), drop(*pairs(9500, 1, 1, 498))
    assert "36 images are too few to decide on 0.5 points" in undecided(few, 0.5) and undecided(many, 0.5) == ""
    assert "it loses 0.00 points (" in why([few, many], few, 0.5) and "too few to decide" in why([few, many], few, 0.5)


def test_the_report_says_the_interval_of_its_best():
    from dataclasses import replace

    from hwnas.report.summary import tiles
    from hwnas.report.tables import candidates
    from tests.hwnas.report_run import full_run

    run = replace(full_run(), chosen=(), budgets={})
    judged = replace(run, rows=[replace(row, images=48) for row in run.rows])
    tile = next(t for t in tiles(judged) if "Best" in t.name)
    assert "cannot be told apart on the same 48 images" in tile.note
    assert "as good as the best" in str(candidates(judged))
    assert "images" not in next(t for t in tiles(run) if "Best" in t.name).note.replace("500 validation images", "")
