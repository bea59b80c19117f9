"""Batches that threads make ahead of their use."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hwnas.data import BatchRequest, damaged, get_dataset
from hwnas.data.threads import workers
from profilers.errors import BadInput


def test_batches_made_ahead_are_those_made_at_once(root):
    dataset = get_dataset(f"folder:{root}")
    order = np.random.default_rng(3).permutation(24)

    def requests(rng):
        return (BatchRequest(order[i : i + 5], 8 + i, rng) for i in range(0, 24, 5))

    rng = np.random.default_rng(4)
    expected = [dataset.batch("train", *request) for request in requests(rng)]
    found = list(dataset.prefetch("train", requests(np.random.default_rng(4)), depth=3))
    assert len(found) == 5
    for (x, y), (images, labels) in zip(expected, found, strict=True):
        assert torch.equal(x, images) and torch.equal(y, labels)
    assert torch.equal(torch.cat([x for x, _ in dataset.batches("train", 8, 7)]), dataset.images("train", 8))
    assert sum(len(y) for _, y in dataset.batches("train", 8, 7, count=10)) == 10


def test_batches_are_made_while_the_caller_works_but_no_further_than_asked(root):
    dataset, taken = get_dataset(f"folder:{root}"), []

    def requests():
        for i in range(10):
            taken.append(i)
            yield BatchRequest(np.array([i]), 8)

    batches = dataset.prefetch("train", requests(), depth=2)
    assert taken == []
    next(batches)
    assert taken == [0, 1, 2]
    batches.close()  # an interrupted training leaves no thread behind
    assert taken == [0, 1, 2]


def test_an_error_in_the_background_arrives_where_the_batch_is_taken(root, monkeypatch):
    monkeypatch.setattr(damaged, "CHECKED_AHEAD", 10)
    dataset = get_dataset(f"folder:{root}")
    (root / dataset._files["test"][3]).write_bytes(b"")
    batches = dataset.batches("test", 8, 1)
    assert [int(next(batches)[1]) for _ in range(3)] == [0, 0, 1]
    with pytest.raises(BadInput, match="an empty file"):
        next(batches)


@pytest.mark.parametrize("value", ["0", "many", "1000"])
def test_a_senseless_number_of_workers_is_refused(monkeypatch, value):
    monkeypatch.setenv("HWNAS_WORKERS", value)
    with pytest.raises(BadInput, match=f"HWNAS_WORKERS={value}; allowed: 1 to 256"):
        workers()
