"""The ways to measure layers, by name. A new one is a file with a `Builder` and one line here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from lut.build.bench import Bench
from lut.build.in_context import InContext
from lut.build.isolated import Isolated
from lut.build.records import MeasurementBatch
from profilers.errors import BadInput


class Builder(Protocol):
    """Measures every layer of one resolution once; `traced` says whether it needs per-node times."""

    name: str
    traced: bool

    def measure(
        self, bench: Bench, resolution: int, seed: int, *, earlier: Sequence[MeasurementBatch] = ()
    ) -> MeasurementBatch:
        """A batch whose `layers` hold the observations; `earlier` are those that the build has already."""


BUILDERS: dict[str, Builder] = {b.name: b for b in (InContext(), Isolated())}


def get_builder(method: str) -> Builder:
    """The builder of that name; BadInput for an unknown one."""
    if method not in BUILDERS:
        raise BadInput(f"unknown method {method!r}", ", ".join(BUILDERS))
    return BUILDERS[method]
