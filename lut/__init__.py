"""Latency tables: layer key to milliseconds, with uncertainty, fingerprint and provenance."""

from lut.estimate.correction import Calibration, Interval, fit_calibration, fit_interval
from lut.table.entry import Entry
from lut.table.store import load, save
from lut.table.table import BoundTable, Estimate, LatencyTable, SpaceId

__all__ = [
    "BoundTable", "Calibration", "Entry", "Estimate", "Interval", "LatencyTable", "SpaceId", "fit_calibration",
    "fit_interval", "load", "save",
]  # fmt: skip
