from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profilers.base import Options
from profilers.errors import BadInput
from profilers.registry import get_profiler
from profilers.timing.cgroup import cgroup_quota
from profilers.timing.fingerprint import Fingerprint, fingerprint
from profilers.timing.pinning import pin

HERE = fingerprint(get_profiler("fake"), Options())


def test_names_the_runtime_its_version_and_the_options():
    found = fingerprint(
        get_profiler("onnxruntime"), Options(threads=1, precision="int8", batch=4, optimization="basic")
    )
    import onnxruntime

    assert (found.runtime, found.runtime_version) == ("onnxruntime", onnxruntime.__version__)
    assert (found.threads, found.precision, found.batch, found.optimization) == (1, "int8", 4, "basic")
    assert found.device == found.cpu and 1 <= found.cores <= os.cpu_count()


@pytest.mark.skipif(not Path("/proc/meminfo").exists(), reason="no /proc/meminfo")
def test_the_memory_is_the_kernels():
    total = re.search(r"MemTotal: +(\d+) kB", Path("/proc/meminfo").read_text())
    assert HERE.memory_gb == pytest.approx(int(total[1]) * 1024 / 1e9, rel=0.01, abs=0.1)


def test_the_simulated_device_is_not_taken_for_this_machine():
    assert HERE.device == "simulated device" != HERE.cpu


def test_pinning_and_load_are_recorded_but_do_not_change_the_identity():
    with pin(1):
        pinned = fingerprint(get_profiler("fake"), Options())
    busy = replace(pinned, load=99.0, mhz=1.0, python="3.99")
    assert len(pinned.affinity) == 1 and pinned.cores_effective <= 1
    assert HERE.differences(busy) == [] and HERE.identity() == busy.identity()


def test_differences_name_the_field_and_both_values():
    other = replace(HERE, cpu="Z80", threads=4, flags=(), quota=1.5)
    lines = HERE.differences(other)
    assert [line.split(":")[0] for line in lines] == ["cpu", "quota", "flags", "threads"]
    assert lines[0] == f"cpu: {HERE.cpu} here, Z80 there" and lines[3] == "threads: 1 here, 4 there"
    assert lines[2].endswith("none there") or not HERE.flags


def test_json_round_trip():
    assert Fingerprint.from_json(json.loads(json.dumps(HERE.to_json(), allow_nan=False))) == HERE


SHAPES = {"null": None, "list": [], "no field": {}, "text": "x", "a field more": {**HERE.to_json(), "extra": 1}}


@pytest.mark.parametrize("value", SHAPES.values(), ids=SHAPES)
def test_another_shape_is_refused(value):
    with pytest.raises(BadInput, match=r"a fingerprint( is|: unknown key| lacks)"):
        Fingerprint.from_json(value)


@given(st.sampled_from(sorted(HERE.to_json())), st.sampled_from([{}, [[]], [None], True, b"x".hex, 10j]))
def test_a_value_of_another_type_is_refused(name, wrong):
    if name in ("placement", "card"):  # see test_placement, test_card_state
        return
    with pytest.raises(BadInput, match=name):
        Fingerprint.from_json({**HERE.to_json(), name: wrong})


@given(st.sampled_from(sorted(HERE.to_json())))
def test_a_missing_field_is_named(name):
    if name == "state":  # earlier versions had none
        assert Fingerprint.from_json({k: v for k, v in HERE.to_json().items() if k != name}).state == ""
        return
    if name in ("placement", "card"):  # see test_placement, test_card_state
        return
    with pytest.raises(BadInput, match=name):
        Fingerprint.from_json({k: v for k, v in HERE.to_json().items() if k != name})


def test_quota_of_cgroup_2_is_the_smallest_on_the_way_up(tmp_path):
    membership = tmp_path / "membership"
    membership.write_text("0::/a/b\n")
    root = tmp_path / "cgroup"
    for folder, text in (("a", "150000 100000"), ("a/b", "max 100000")):
        (root / folder).mkdir(parents=True, exist_ok=True)
        (root / folder / "cpu.max").write_text(text)
    assert cgroup_quota(root, membership) == 1.5
    (root / "a/b/cpu.max").write_text("50000 100000")
    assert cgroup_quota(root, membership) == 0.5


def test_quota_of_cgroup_1(tmp_path):
    membership = tmp_path / "membership"
    membership.write_text("3:memory:/x\n2:cpu,cpuacct:/job\n0::/\n")
    folder = tmp_path / "cgroup/cpu/job"
    folder.mkdir(parents=True)
    (folder / "cpu.cfs_period_us").write_text("100000")
    (folder / "cpu.cfs_quota_us").write_text("250000")
    assert cgroup_quota(tmp_path / "cgroup", membership) == 2.5
    (folder / "cpu.cfs_quota_us").write_text("-1")
    assert cgroup_quota(tmp_path / "cgroup", membership) is None


def test_no_cgroup_no_limits(tmp_path):
    assert cgroup_quota(tmp_path, tmp_path / "absent") is None
