from __future__ import annotations

import os
import threading
from functools import partial

import numpy as np
import pytest

from profilers.base import Options
from profilers.errors import BadInput
from profilers.registry import PROFILERS, get_profiler
from profilers.runtimes.fake import Fake
from profilers.timing import core_groups as core_groups_module
from profilers.timing.core_groups import MAX_GROUPS, TASKS, core_groups, load_in_parallel
from profilers.timing.pinning import pin
from tests import cores
from tests.profilers import models

PARALLEL = [name for name, p in PROFILERS.items() if p.supports_parallel_load and p().status().available]
CORES = cores.ALL[:2]


@pytest.mark.parametrize(
    ("cores", "threads", "expected"),
    [
        ((4,), 1, ((4,),)),
        ((0, 2), 1, ((0,), (2,))),
        ((0, 1), 2, ((0, 1),)),
        ((0, 1, 2, 3, 4), 2, ((0, 1), (2, 3))),
        (tuple(range(64)), 1, tuple((i,) for i in range(MAX_GROUPS))),
    ],
)
def test_a_group_has_as_many_cores_as_a_model_has_threads(cores, threads, expected):
    assert core_groups(cores, threads) == expected


@pytest.mark.parametrize("lost", ["sched_setaffinity", "tasks"])
def test_a_system_that_cannot_pin_has_one_group(lost, monkeypatch, tmp_path):
    if lost == "tasks":
        monkeypatch.setattr("profilers.timing.core_groups.TASKS", tmp_path / "none")
    else:
        monkeypatch.delattr(os, lost)
    assert core_groups((0, 1), 1) == ((),)
    assert list(load_in_parallel({"a": session, "b": session}, core_groups((0, 1), 1))) == ["a", "b"]


@pytest.mark.two_cores
def test_two_groups_load_at_the_same_time_each_on_its_core():
    both, seen = threading.Barrier(2, timeout=60), []

    def load():
        both.wait()  # breaks unless the other group comes too
        seen.append(frozenset(os.sched_getaffinity(0)))
        return session()

    with pin(1) as pinned:
        found = load_in_parallel(dict.fromkeys("dacb", load), core_groups(CORES, 1))
        assert os.sched_getaffinity(0) == set(pinned)
    assert list(found) == list("dacb")
    assert sorted(map(sorted, seen)) == sorted([[c] for c in CORES] * 2)


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("error", [BadInput("this", "that"), KeyboardInterrupt()])
def test_if_one_fails_all_are_closed_and_no_more_are_begun(count, error):
    opened, begun = [], []

    def load(name):
        begun.append(name)
        if name == 2:
            raise error
        opened.append(session())
        opened[-1].closed = False
        opened[-1].close = lambda s=opened[-1]: setattr(s, "closed", True)
        return opened[-1]

    with pytest.raises(type(error)):
        load_in_parallel({str(i): partial(load, i) for i in range(40)}, [()] * count)
    assert len(begun) <= 2 + 2 * count
    assert opened and all(s.closed for s in opened)


def test_what_a_group_was_loading_at_an_interrupt_is_closed_when_it_is_there(monkeypatch):
    both, go, closed, others = threading.Barrier(2, timeout=60), threading.Event(), threading.Event(), []

    def load():
        mine = threading.current_thread() is threading.main_thread()
        others.extend([] if mine else [threading.current_thread()])
        both.wait()
        opened = session()
        if not mine:
            opened.close = closed.set
            go.wait(60)
        return opened

    def interrupted(thread, timeout=None):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(threading.Thread, "join", interrupted)
        load_in_parallel(dict.fromkeys("ab", load), [(), ()])
    assert not closed.is_set()
    go.set()
    others[0].join(60)
    assert closed.is_set()


@pytest.mark.two_cores
def test_threads_that_a_runtime_starts_are_moved_to_the_first_group():
    started, stop = [], threading.Event()
    before = threading.Thread(target=stop.wait)
    before.start()
    own = os.sched_getaffinity(before.native_id)

    def load():
        started.append(threading.Thread(target=stop.wait))
        started[-1].start()
        return session()

    first, second = CORES
    load_in_parallel({str(i): load for i in range(8)}, [(second,), (first,)])
    try:
        assert all(os.sched_getaffinity(t.native_id) == {second} for t in started)
        assert os.sched_getaffinity(before.native_id) == own  # not a thread of the runtime's
    finally:
        stop.set()


@pytest.mark.two_cores
def test_a_thread_that_the_system_left_out_of_its_list_is_moved_too(monkeypatch):
    stop = threading.Event()
    started = [threading.Thread(target=stop.wait) for _ in range(2)]
    before = core_groups_module.threads_of_process()
    for thread in started:
        thread.start()
    left_out, complete = {started[1].native_id}, core_groups_module.threads_of_process

    def listed():
        found = complete() - left_out
        left_out.clear()
        return found

    monkeypatch.setattr(core_groups_module, "threads_of_process", listed)
    try:
        core_groups_module.move_threads_since(before, CORES[1:])
        assert all(os.sched_getaffinity(t.native_id) == {CORES[1]} for t in started)
    finally:
        stop.set()


@pytest.mark.two_cores
@pytest.mark.parametrize("name", PARALLEL)
def test_models_loaded_beside_each_other_compute_what_they_do_alone(name):
    profiler, options = get_profiler(name), Options()
    networks = {str(seed): models.tiny(seed=seed)[0] for seed in range(8)}
    with pin(1) as pinned:
        before = threads()
        found = load_in_parallel(
            {k: partial(profiler.load, m, options) for k, m in networks.items()}, core_groups(CORES, 1)
        )
        assert all(affinity(t) <= set(pinned) for t in threads() - before)
        for key, model in networks.items():
            images = np.random.default_rng(int(key)).standard_normal(found[key].input_shape, dtype=np.float32)
            with profiler.load(model, options) as alone:
                np.testing.assert_array_equal(found[key].infer(images), alone.infer(images))
            found[key].close()


def threads() -> set[int]:
    return {int(task.name) for task in TASKS.iterdir()}


def affinity(thread: int) -> set[int]:
    try:
        return os.sched_getaffinity(thread)
    except ProcessLookupError:  # it has ended
        return set()


def session():
    return Fake().load(models.chain(), Options())
