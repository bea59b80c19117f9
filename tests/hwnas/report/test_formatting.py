"""Names and numbers as people read them."""

from __future__ import annotations

import pytest

from hwnas.report import formatting


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.02134, "0.0213"),
        (2.134, "2.13"),
        (97.42, "97.4"),
        (213.4, "213"),
        (1234.0, "1,234"),
        (0.0, "0.00"),
        (-2.5, "-2.50"),
        (float("inf"), "–"),
    ],
)
def test_numbers(value, shown):
    assert formatting.significant(value) == shown


def test_names_lists_and_quantities():
    latencies = ("cpu_ms", "jetson_nano_ms", "phone", "latency_of_x")
    assert [formatting.label(n, "latency") for n in latencies] == [
        "CPU latency",
        "jetson nano latency",
        "phone latency",
        "latency of x",
    ]
    assert [formatting.label(n) for n in ("top1", "energy_ms")] == ["Top-1 accuracy", "energy_ms"]
    assert (
        formatting.listing(["a", "b", "c"]) == "a, b and c"
        and formatting.listing(["a"]) == "a"
        and formatting.listing([]) == ""
    )
    assert formatting.origin("measured: here") == "measured" and formatting.origin("guessed") == "unknown"
    assert formatting.plural(1, "network") == "1 network" and formatting.plural(1200, "network") == "1,200 networks"
    assert formatting.quantity({"value": 2.0, "low": 1.9, "high": 2.1}) == "2.00 (1.90–2.10)"
    assert formatting.quantity({"value": None}) == "–" == formatting.quantity(None)
