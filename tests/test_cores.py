"""The order of a whole run: every worker's share begins with the files that have slow tests."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.cores import slow_first

FILES = {"a": 5, "b": 40, "c": 3, "d": 20, "e": 2, "f": 30}
SLOW = {"b": 2, "d": 7, "e": 1}


@pytest.mark.parametrize("workers", [2, 3, 8])
def test_each_share_begins_with_slow_files_and_files_of_slow_tests_stay_whole(workers):
    tests = [SimpleNamespace(path=Path(file), number=i) for file, count in FILES.items() for i in range(count)]
    slow = [test.number < SLOW.get(str(test.path), 0) for test in tests]
    found = slow_first(tests, slow, workers)
    assert sorted(map(id, found)) == sorted(map(id, tests))
    at = [i for i, test in enumerate(found) if str(test.path) == "b"]
    assert at == list(range(at[0], at[0] + 40)) and [found[i].number for i in at] == list(range(40))
    assert str(found[0].path) == "d"  # the dearest
    if workers == 2:
        assert [str(found[i].path) for i in (0, 20, 50)] == ["d", "e", "b"]
