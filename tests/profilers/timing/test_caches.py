"""The disturbance of the state `interrupted`."""

from __future__ import annotations

import pytest

from profilers.timing import caches


def test_the_largest_cache_is_found(tmp_path):
    for index, size in enumerate(("32K", "1024K", "32768K", "?")):
        (tmp_path / f"index{index}").mkdir()
        (tmp_path / f"index{index}/size").write_text(f"{size}\n")
    assert caches.last_level_bytes(tmp_path) == 32 << 20
    assert caches.last_level_bytes(tmp_path / "absent") == caches.UNKNOWN_BYTES


@pytest.mark.parametrize("threads", [1, 3])
def test_every_word_of_the_buffer_is_written_once(threads):
    buffer = caches._buffer()
    assert caches.LEAST_BYTES <= buffer.nbytes <= caches.MOST_BYTES
    before = buffer.copy()
    caches.take_caches(threads)
    assert (buffer == before + 1).all()
    assert caches.disturbance().startswith(f"{buffer.nbytes >> 20} MB")
