"""Waits that hear signals: futures as they end, each once."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

from profilers.interruption import as_done, first_done


def test_futures_come_in_the_order_in_which_they_end():
    first, second, third = (Future[int]() for _ in range(3))
    second.set_result(2)
    found = as_done([first, second, third])
    assert next(found) is second
    third.set_result(3)
    first.set_result(1)
    assert list(found) == [third, first] and list(as_done([])) == []
    assert first_done([first, second]) == ({first, second}, set()) and first_done([]) == (set(), set())


def test_of_many_none_is_lost():
    with ThreadPoolExecutor(4) as pool:
        given = [pool.submit(pow, i, 2) for i in range(5000)]
        assert sorted(future.result() for future in as_done(given)) == [i * i for i in range(5000)]
