"""Predicted against measured latency: the exported engines, and the networks on which a table was checked.

predicted, low, high (n,) ms by the table      measured, fast, slow (n,) ms, from..to of its interval
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwnas.export.speed import disturbed
from hwnas.report.data import RunData
from hwnas.space import SearchSpace
from lut import LatencyTable
from lut.build.assembly import end_to_end_networks
from lut.build.records import MeasuredNetwork
from profilers.base import INTERRUPTED, STEADY, Options
from profilers.timing.ties import Ends, Place, places


@dataclass(frozen=True)
class Pair:
    """One network: its name, the prediction and the measurement with their intervals, in ms."""

    name: str
    predicted: float
    low: float
    high: float
    measured: float
    fast: float
    slow: float

    @property
    def error(self) -> float:
        """Relative: positive where the prediction was too slow."""
        return self.predicted / self.measured - 1

    @property
    def inside(self) -> bool:
        """Whether the measurement lies in the predicted interval."""
        return self.low <= self.measured <= self.high


@dataclass(frozen=True)
class Agreement:
    """What was measured with one runtime and setting: engines, and the whole networks that its table was fitted to."""

    title: str
    engines: tuple[Pair, ...]
    networks: tuple[Pair, ...]
    verify: Mapping[str, Any] | None

    @property
    def limits(self) -> tuple[float, float]:
        """The range that shows every point and interval."""
        pairs = (*self.engines, *self.networks)
        lows, highs = zip(*((min(p.low, p.fast), max(p.high, p.slow)) for p in pairs), strict=True)
        return 0.97 * min(lows), 1.03 * max(highs)


def agreements(run: RunData) -> list[Agreement]:
    """One for each runtime and setting of which anything can be compared."""
    engines, tables = _engines(run), {_setting(t): t for t in run.tables.values() if t.fingerprint is not None}
    found = []
    for setting in sorted({*engines, *tables}):
        table = tables.get(setting)
        networks = () if table is None else tuple(_whole(table, run))
        verify = None if table is None else table.verify
        if setting in engines or networks or verify:
            found.append(Agreement(_title(*setting), tuple(engines.get(setting, ())), networks, verify))
    return found


@dataclass(frozen=True)
class Speed:
    """How quick an engine is, as people ask for it: steady, in ms and images a second; None where it is not known.

    `place` is its rank among the engines of the same device, batch and threads, with ties; `how` says of a figure by
    its name how it was obtained, or why there is none; `remarks` are what disturbed the measurement.
    """

    name: str
    engine: str
    precision: str
    batch: int
    place: Place
    ms: float
    low: float
    high: float
    median: float | None
    p90: float | None
    p99: float | None
    images_s: float | None
    how: Mapping[str, str]
    remarks: tuple[str, ...]


def speeds(run: RunData) -> tuple[Speed, ...]:
    """Of every engine that was measured, in the order of the run's engines."""
    sheets = [e.sheet for e in run.chosen if e.sheet["latency"]["measured"]["value"] is not None]
    return tuple(_speed(sheet, _place(sheet, sheets)) for sheet in sheets)


def _speed(sheet: Mapping[str, Any], place: Place) -> Speed:
    latency, kind = sheet["latency"], sheet["engine"]
    timing = latency["timing"] or {}
    figures = {**timing.get("percentiles", {}), "images_s": latency.get("throughput") or {}}
    known = {name: figures.get(name, {}).get("value") for name in ("p90", "p99", "images_s")}
    how = {name: str(figure["how"]) for name, figure in figures.items() if "how" in figure}
    return Speed(
        str(sheet["name"]), str(kind["name"]), str(kind["precision"]), int(kind["batch"]), place,
        *_three(latency["measured"]), timing.get("median_ms"), **known,
        how={"ms": str(latency["measured"]["how"]), **how}, remarks=tuple(disturbed(timing)),
    )  # fmt: skip


def _place(sheet: Mapping[str, Any], sheets: Sequence[Mapping[str, Any]]) -> Place:
    peers = [other for other in sheets if _where(other) == _where(sheet)]
    ends = [Ends(*_three(other["latency"]["measured"])[1:]) for other in peers]
    return places(ends)[next(i for i, other in enumerate(peers) if other is sheet)]


def _where(sheet: Mapping[str, Any]) -> tuple[Any, ...]:
    return sheet["fingerprint"]["device"], sheet["engine"]["batch"], sheet["engine"]["threads"]


Setting = tuple[str, int, str, int, str]


def _title(profiler: str, threads: int, precision: str, batch: int, state: str) -> str:
    plural = "" if threads == 1 else "s"
    return f"{profiler}, {precision}, batch {batch}, {threads} thread{plural}, {state or 'state not stated'}"


def _setting(table: LatencyTable) -> Setting:
    runtime = table.fingerprint.runtime if table.fingerprint else ""
    return _key(runtime, vars(table.options))


def _key(profiler: str, options: Mapping[str, Any]) -> Setting:
    return profiler, int(options["threads"]), str(options["precision"]), int(options["batch"]), str(options["state"])


def _engines(run: RunData) -> dict[Setting, list[Pair]]:
    found: dict[Setting, list[Pair]] = {}
    for engine in run.chosen:
        sheet = engine.sheet
        for state, latency in ((STEADY, sheet["latency"]), (INTERRUPTED, sheet["latency"].get(INTERRUPTED))):
            if latency and latency["predicted"]["value"] is not None and latency["measured"]["value"] is not None:
                options = {**vars(Options()), **sheet["engine"], "state": state}
                setting = _key(str(sheet["engine"]["profiler"]), options)
                pair = Pair(str(sheet["name"]), *_three(latency["predicted"]), *_three(latency["measured"]))
                found.setdefault(setting, []).append(pair)
    return found


def _three(figure: Mapping[str, Any]) -> tuple[float, float, float]:
    value = float(figure["value"])
    low, high = (value if figure.get(k) is None else float(figure[k]) for k in ("low", "high"))
    return value, low, high


def _whole(table: LatencyTable, run: RunData) -> list[Pair]:
    """The whole networks behind the table's calibration and interval: they look better than new ones."""
    own = run.space.with_classes(table.space.classes)
    known: dict[int, list[MeasuredNetwork]] = {}
    for network in end_to_end_networks(table):
        if network.arch.get("r") in own.resolutions:
            known.setdefault(network.classes or own.classes, []).append(network)
    return [pair for classes, networks in known.items() for pair in _pairs(table, own.with_classes(classes), networks)]


def _pairs(table: LatencyTable, space: SearchSpace, networks: Sequence[MeasuredNetwork]) -> list[Pair]:
    archs = [space.parse(network.arch) for network in networks]
    measured = [network.measurement for network in networks]
    columns = zip(archs, measured, *(x.tolist() for x in table.bind(space).predict(space.encode(archs))), strict=True)
    return [Pair(arch.id, ms, low, high, m.ms, m.low, m.high) for arch, m, ms, low, high in columns]


def mean_error(pairs: Iterable[Pair]) -> float | None:
    """Mean absolute relative error, or None without pairs."""
    errors = [abs(p.error) for p in pairs]
    return float(np.mean(errors)) if errors else None
