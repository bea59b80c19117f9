"""Messages: what is sent is received, and nothing else is."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest

from profilers.devices.wire import FRAME, HEADER_LIMIT, MAGIC, BadMessage, pack, receive, send, unpack

ARRAYS = {
    "a": np.array([[1.5, np.nan], [np.inf, -0.0]]),
    "b": np.arange(6, dtype="int8").reshape(2, 3),
    "none": np.zeros((0, 4), "float32"),
    "one": np.array(True),
}


def stream(header, parts=()):
    written = io.BytesIO()
    send(written, header, parts)
    return io.BytesIO(written.getvalue())


def test_what_is_sent_is_received():
    about, parts = pack(ARRAYS)
    found = receive(stream({"id": 1, "arrays": about}, parts))
    assert found.header["id"] == 1
    for name, array in found.arrays().items():
        np.testing.assert_array_equal(array, ARRAYS[name])
        assert (array.dtype, array.shape) == (ARRAYS[name].dtype, ARRAYS[name].shape)


def test_two_messages_and_the_end():
    both = io.BytesIO(stream({"id": 1}, [b"abc"]).getvalue() + stream({"id": 2}).getvalue())
    assert [receive(both).payload, receive(both).header, receive(both)] == [b"abc", {"id": 2}, None]


def test_a_link_that_is_cut_anywhere_is_its_end():
    whole = stream({"id": 1}, [b"payload"]).getvalue()
    assert [receive(io.BytesIO(whole[:n])) for n in range(len(whole))] == [None] * len(whole)


@pytest.mark.parametrize(
    "data",
    [
        b"Last login: today from somewhere else",
        FRAME.pack(MAGIC, HEADER_LIMIT + 1, 0),
        FRAME.pack(MAGIC, 2, 1001) + b"{}",
        FRAME.pack(MAGIC, 4, 0) + b"[[[[",
        FRAME.pack(MAGIC, 2, 0) + b"[]",
        FRAME.pack(MAGIC, 2, 0) + b"\xff\xff",
        FRAME.pack(MAGIC, 200_000, 0) + b"[" * 200_000,
    ],
)
def test_what_is_no_message_is_refused(data):
    with pytest.raises(BadMessage):
        receive(io.BytesIO(data), 1000)


def test_nothing_is_allotted_before_it_arrives():
    """A header that announces 4 GiB and sends nothing."""
    assert receive(io.BytesIO(FRAME.pack(MAGIC, 2, 1 << 32) + b"{}")) is None


@pytest.mark.parametrize(
    "about",
    [
        "text",
        [None],
        [{"name": "a", "dtype": "object", "shape": [1]}],
        [{"name": "a", "dtype": "float64", "shape": [1 << 50]}],
        [{"name": "a", "dtype": "float64", "shape": [-1]}],
        [{"name": "a", "dtype": "float64", "shape": [True]}],
        [{"name": "a", "dtype": "float64", "shape": [1 << 39, 1 << 39, 1 << 39]}],
        [{"name": "a", "dtype": "float64", "shape": [2]}],
        [{"name": "a", "dtype": "int8", "shape": [7]}],
        [{"name": "a", "dtype": "int8", "shape": [1] * 33}],
        [],
    ],
)
def test_arrays_that_do_not_fit_their_bytes_are_refused(about):
    with pytest.raises(BadMessage):
        unpack(about, b"12345678")


def test_headers_are_plain_json():
    with pytest.raises(ValueError, match="JSON"):
        send(io.BytesIO(), {"ms": float("nan")})
    assert json.loads(stream({"a": [1]}).getvalue()[FRAME.size :]) == {"a": [1]}
