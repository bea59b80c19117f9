"""Which kind of cores threads run on, from a system's files as hybrid processors have them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from profilers.base import Options
from profilers.registry import get_profiler
from profilers.timing.fingerprint import Fingerprint, fingerprint
from profilers.timing.placement import listed, placement


@pytest.fixture
def system(tmp_path):
    """Writes files of /sys/devices and asks about threads on cores."""

    def ask(affinity, threads, files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{text}\n")
        return placement(affinity, threads, tmp_path / "system" / "cpu", tmp_path)

    return ask


INTEL = {"cpu_core/cpus": "0-7", "cpu_atom/cpus": "8-15"}


@pytest.mark.parametrize(
    ("affinity", "threads", "said"),
    [
        (range(16), 1, "performance cores"),
        ((8, 9), 2, "efficient cores"),
        ((7, 8), 2, "performance cores and efficient cores"),
    ],
)
def test_a_hybrid_processor(system, affinity, threads, said):
    assert system(affinity, threads, INTEL) == said


def test_by_the_speed_that_the_system_gives(system):
    arm = {f"system/cpu/cpu{i}/cpu_capacity": 1024 if i >= 4 else 410 for i in range(8)}
    assert system((0, 4), 1, arm) == "cpu_capacity 40 % of the largest"
    assert system((0, 4), 2, arm) == "cpu_capacity 40 and 100 % of the largest"


def test_cores_that_are_alike_need_no_word(system):
    favoured = {f"system/cpu/cpu{i}/cpufreq/cpuinfo_max_freq": 5000000 - 200000 * (i > 1) for i in range(4)}
    assert system(range(4), 2, favoured) == "" == system(range(4), 2, {"cpu_core/cpus": "0-3"})


def test_threads_that_share_a_core(system):
    siblings = {f"system/cpu/cpu{i}/topology/core_id": i // 2 for i in range(4)}
    siblings |= {f"system/cpu/cpu{i}/topology/physical_package_id": 0 for i in range(4)}
    assert system(range(4), 2, siblings) == "2 threads on 1 physical core"
    assert system((0, 2), 2, siblings) == ""


def test_a_list_of_the_system():
    assert listed("0-2,5") == {0, 1, 2, 5} and listed("") == set() == listed("nonsense")


def test_it_is_compared_where_both_say_it():
    here = replace(fingerprint(get_profiler("fake"), Options()), placement="efficient cores")
    there = replace(here, placement="performance cores")
    assert here.differences(there) == ["placement: efficient cores here, performance cores there"]
    old = {name: value for name, value in here.to_json().items() if name != "placement"}
    assert here.differences(Fingerprint.from_json(old)) == [] == Fingerprint.from_json(old).differences(here)
