from __future__ import annotations

import pytest

from tests.skipped import OTHER, need, summary


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        ("Skipped: /work/shared/published is not on this machine", "published"),
        ("Skipped: no NVIDIA driver on this machine: libcuda.so.1 is missing; install NVIDIA's driver", "GPU"),
        ("Skipped: no CUDA toolkit: /usr/local/cuda/include/cuda.h is missing", "stand-in"),
        ("Skipped: could not import 'timm': No module named 'timm'", "package"),
        ("Skipped: none of chromium, google-chrome is installed", "browser"),
    ],
)
def test_a_reason_tells_what_was_needed(reason, word):
    assert word in need(reason)


def test_each_skipped_test_is_counted_once_and_the_most_frequent_need_stands_first():
    lines = summary(["Skipped: one core", "Skipped: needs two cores", "Skipped: one core"])
    assert lines == [f"skipped:    2 that need {OTHER}", "skipped:    1 that need two cores"]
    assert summary([]) == []
