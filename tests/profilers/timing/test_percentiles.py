"""MLPerf's early-stopping rule against LoadGen's published figures, and against what it promises."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from profilers.base import TimingPlan
from profilers.runtimes.fake import FakeClock
from profilers.timing.loop import time_sessions
from profilers.timing.measurement import Measurement
from profilers.timing.percentiles import CONFIDENCE, fewest_runs, most_overlatency, percentiles
from profilers.timing.ties import Ends, Place, places, tied
from tests.profilers.models import Scripted


@pytest.mark.parametrize(("runs", "discarded"), [(2048, 172), (7469, 685), (2145, 181), (2116, 178)])
def test_as_many_runs_are_discarded_as_loadgen_discards(runs, discarded):
    """From summaries of MLPerf's LoadGen that submitters published: "Would discard ... highest latency queries"."""
    assert most_overlatency(runs, 0.9) - 1 == discarded


def test_the_fewest_runs_are_loadgens():
    """ "Processed at least 64 queries"; 662 for p99 (mlcommons/endpoints, pull request 417)."""
    assert (fewest_runs(0.9), fewest_runs(0.99)) == (64, 662)
    assert most_overlatency(63, 0.9) < 1 <= most_overlatency(64, 0.9)
    assert most_overlatency(661, 0.99) < 1 <= most_overlatency(662, 0.99)


@pytest.mark.parametrize("share", [0.9, 0.99])
@pytest.mark.parametrize("runs", [64, 700, 5000])
def test_it_is_the_largest_count_that_the_binomial_distribution_allows(runs, share):
    most = most_overlatency(runs, share)
    assert binom.cdf(most + 1, runs, 1 - share) > 1 - CONFIDENCE
    assert most < 0 or binom.cdf(most, runs, 1 - share) <= 1 - CONFIDENCE + 1e-12


def test_the_bound_holds_as_often_as_it_says():
    """Of exponential times, whose true p90 is known, at least 99 % of the bounds lie above it."""
    rng = np.random.default_rng(0)
    bounds = [percentiles(rng.exponential(size=200))["p90"].ms for _ in range(1000)]
    assert 0.98 < np.mean(np.array(bounds) >= -np.log(0.1)) <= 1


def test_too_few_runs_tell_nothing_and_how_many_are_needed():
    found = percentiles([1.0] * 100)
    assert found["p90"] == (1.0, 100, 64) and found["p99"] == (None, 100, 662)
    assert percentiles([])["p90"].ms is None


def test_every_single_run_counts_as_it_was():
    """Also those of blocks that are rejected, and with several runs a block."""
    session = Scripted(FakeClock(), lambda n: 0.001 if n % 10 else 0.005, lambda n: 0.001)
    plan = TimingPlan(min_rounds=60, max_rounds=60, runs_per_block=4, untimed_runs=1, warmup_runs=1)
    samples = time_sessions({"a": session}, plan)["a"]
    assert samples.rejected > 0 and len(samples.runs) == 240
    assert sorted(set(np.round(samples.runs, 6))) == [1.0, 5.0]
    found = Measurement.of("a", samples).percentiles()
    assert found["p90"].ms == pytest.approx(5.0) and found["p99"] == (None, 240, 662)


def test_runs_too_short_for_the_clock_are_not_timed_singly():
    samples = time_sessions({"a": Scripted(FakeClock(), lambda n: 1e-5)}, TimingPlan(warmup_runs=1))["a"]
    assert len(samples.runs) == 0 and samples.ms == pytest.approx(0.01)


def test_overlapping_intervals_are_ties():
    first, second, third = Ends(1.0, 2.0), Ends(1.9, 3.0), Ends(2.5, 4.0)
    assert tied(first, second) and tied(second, third) and not tied(first, third)
    assert places([first, second, third, Ends(5, 6)]) == [(1, True), (1, True), (2, True), (4, False)]
    assert [str(place) for place in places([first, Ends(9, 9)])] == ["1", "2"] and str(Place(3, True)) == "3="
