"""Measured networks as arrays: the numerics of this room work on all of them at once, and on a few facts of each.

A `profilers.timing.measurement.Measurement` is one network with all that is known of how it was measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from lut.protocols import Floats

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Networks:
    """Networks measured end to end, each field (n,).

    keys      of each network's layers
    ms        measured, the machine's drift divided out
    group     which were timed together
    slots     filled ones, and
    pixels    the resolution, both for the calibration
    cover     whether it is a covering network, timed beside traced ones
    """

    keys: Sequence[Sequence[str]]
    ms: Floats
    group: Ints
    slots: Ints
    pixels: Ints
    cover: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.ms)

    def rows(self, chosen: Sequence[int]) -> Networks:
        """Those of these indices."""
        index = np.asarray(chosen, int)
        arrays = {f.name: getattr(self, f.name)[index] for f in fields(self) if f.name != "keys"}
        return Networks([self.keys[i] for i in index], **arrays)

    def joined(self, others: Networks) -> Networks:
        """These, then the others."""
        names = [f.name for f in fields(self) if f.name != "keys"]
        arrays = {name: np.concatenate([getattr(self, name), getattr(others, name)]) for name in names}
        return Networks([*self.keys, *others.keys], **arrays)
