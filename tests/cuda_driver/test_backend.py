"""The contract suite of `profilers.runtimes.cuda`: both packages, each on its stand-in.

They test the order and the arguments of the calls, and that nothing leaks; they do not test CUDA or a GPU.
"""

from __future__ import annotations

import time

import numpy as np
import pytest

from profilers.errors import MeasurementFailed
from profilers.runtimes.cuda import choice
from profilers.runtimes.cuda.backend import TimedStream

SHAPE = (2, 3, 4, 4)


def images(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(SHAPE).astype(np.float32)


def test_the_gpu_is_named_with_its_capability(backend):
    status = choice.gpu_status()
    assert status.available and int(status.version.split(".")[0]) >= 11
    assert backend.card == ("Stand-in GPU", "sm86")


@pytest.mark.parametrize("dtype", ["float32", "float16", "int64", "uint16", "bool"])
def test_a_buffer_keeps_what_was_uploaded(backend, dtype):
    timed, buffer = TimedStream(backend), backend.buffer(SHAPE, dtype)
    values = (images(1) * 3).astype(dtype)
    buffer.upload(values, timed.stream)
    buffer.host[:] = 0  # the device has it
    found = buffer.download(timed.stream)
    buffer.host[:] = 0  # and the download is a copy
    assert found.dtype == dtype and found.shape == SHAPE and np.array_equal(found, values)
    buffer.close()


def test_two_buffers_have_addresses_of_their_own(backend):
    a, b = (backend.buffer((3,)) for _ in range(2))
    assert 0 < a.address != b.address > 0
    a.close()
    b.close()


def test_a_closed_buffer_is_free_for_others_at_once(backend):
    before, buffer = backend.free_bytes(), backend.buffer(SHAPE)
    assert backend.free_bytes() < before
    buffer.close()
    assert backend.free_bytes() == before


def test_more_memory_than_there_is_is_the_backends_error(backend):
    with pytest.raises(backend.error, match="out of memory"):
        backend.buffer((1 << 29,))


def test_the_clock_advances_by_the_time_between_the_events(backend):
    timed = TimedStream(backend)
    started = time.perf_counter()
    timed.run(lambda: time.sleep(0.02))
    assert 0.02 <= timed.clock.wall() <= time.perf_counter() - started
    before = timed.clock.wall()
    time.sleep(0.02)  # between runs it stands still
    assert timed.clock.wall() == before


def test_a_graph_repeats_what_was_captured(backend):
    stream, buffer = backend.stream(), backend.buffer(SHAPE)
    buffer.upload(images(1), stream)
    stream.synchronize()
    graph = backend.capture(stream, lambda: buffer.fetch(stream))
    for _ in range(2):
        buffer.host[:] = 0
        graph.launch()
        stream.synchronize()
        assert np.array_equal(buffer.host, images(1))
    graph.close()
    graph.close()
    buffer.close()


def test_a_capture_runs_nothing(backend):
    stream, buffer = backend.stream(), backend.buffer(SHAPE)
    buffer.upload(images(1), stream)
    stream.synchronize()
    buffer.host[:] = 0
    backend.capture(stream, lambda: buffer.fetch(stream)).close()
    assert not buffer.host.any()
    buffer.close()


def test_work_that_waits_cannot_be_captured_and_leaves_the_stream_as_it_was(backend):
    stream, buffer = backend.stream(), backend.buffer(SHAPE)

    def waits():
        try:
            buffer.download(stream)
        except backend.error as error:
            raise MeasurementFailed("cannot be captured") from error

    with pytest.raises(MeasurementFailed, match="cannot be captured"):
        backend.capture(stream, waits)
    buffer.upload(images(2), stream)
    assert np.array_equal(buffer.download(stream), images(2))
    buffer.close()
