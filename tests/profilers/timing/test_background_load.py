from __future__ import annotations

import os

import pytest

from profilers.timing.background_load import BackgroundLoad


def write(path, **ticks):
    order = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal", "guest", "guest_nice")
    path.write_text("cpu  " + " ".join(str(ticks.get(name, 0)) for name in order) + "\ncpu0 1 2 3\n")


@pytest.fixture
def stat(tmp_path, monkeypatch):
    """A machine on which this process computes nothing and 10 seconds pass at each look."""
    seconds = iter(range(0, 1000, 10))
    monkeypatch.setattr("profilers.timing.background_load.time.monotonic", lambda: float(next(seconds)))
    monkeypatch.setattr("profilers.timing.background_load.os.times", lambda: os.times_result((1.0, 1.0, 0.0, 0.0, 0.0)))
    return tmp_path / "stat"


@pytest.mark.parametrize(
    ("after", "cores"),
    [({"user": 1000}, 1.0), ({"user": 500, "steal": 500, "idle": 700}, 1.0), ({"idle": 2000, "guest": 900}, 0.0)],
)
def test_cores_used_by_others(stat, after, cores):
    ticks = os.sysconf("SC_CLK_TCK")
    write(stat, user=50)
    work = BackgroundLoad(stat)
    write(stat, **{k: v * ticks // 100 + (50 if k == "user" else 0) for k, v in {"user": 0, **after}.items()})
    assert work.cores() == pytest.approx(cores, abs=0.01)


def test_own_work_does_not_count(stat, monkeypatch):
    write(stat)
    work = BackgroundLoad(stat)
    write(stat, user=10 * os.sysconf("SC_CLK_TCK"))
    monkeypatch.setattr("profilers.timing.background_load.os.times", lambda: os.times_result((8.0, 3.0, 1.0, 0.0, 0.0)))
    assert work.cores() == pytest.approx(0.0)


@pytest.mark.parametrize("content", [None, "", "cpu  a b c\n"])
def test_where_the_system_does_not_tell(tmp_path, content, monkeypatch):
    if content is not None:
        (tmp_path / "stat").write_text(content)
    monkeypatch.setattr("profilers.timing.background_load.os.getloadavg", lambda: (3.5, 0.0, 0.0))
    assert BackgroundLoad(tmp_path / "stat").cores() == 2.5
