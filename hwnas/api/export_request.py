"""What an export is asked for: which options go with which engine; one that would change nothing is refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import lut
from hwnas.api.where import Where, host_of
from hwnas.data.reference import resolve_reference
from hwnas.export.engines import ENGINES, get_engine
from hwnas.export.item import predicts
from hwnas.export.pipeline import AUTO
from hwnas.export.weights import Wanted
from profilers.base import Options
from profilers.errors import BadInput


class HoldsTable(Protocol):
    """A latency table and its file, as `hwnas.LatencyTable`."""

    @property
    def data(self) -> lut.LatencyTable:
        """The table."""

    @property
    def path(self) -> Path | None:
        """Its file."""


Tables = Sequence[HoldsTable | Path | str]


DYNAMIC = "dynamic"


def batch_number(batch: int | str | None) -> int | None:
    """The number that was asked for; 1, at which it is measured, for a dynamic batch; BadInput for other texts."""
    if batch is None or isinstance(batch, int):
        return batch
    if batch == DYNAMIC:
        return 1
    if not batch.isascii() or not batch.removeprefix("-").isdecimal() or len(batch) > 9:
        raise BadInput(f"--batch {batch[:40]}", f"a number, or {DYNAMIC}")
    return int(batch)


def usual_batch(engine: str) -> int:
    """Images per run where nothing is said."""
    return 1 if engine == AUTO else get_engine(engine).batch


def engine_options(engine: str, options: Options) -> Options:
    """At the level that the engine is compiled at."""
    return options if engine == AUTO else get_engine(engine).options(options)


def weights(supernet: Path | None, random: bool, dataset: str | None, images: Path | None, recalibrate: bool) -> Wanted:
    """The weights that are asked for; a supernet's file may lie where `hwnas fetch` has put it."""
    from hwnas.fetch import cached

    if supernet is not None and not supernet.exists():
        supernet = cached(str(supernet)) or supernet
    reference = dataset and resolve_reference(dataset, Path())
    return Wanted(supernet, random, reference, images and images.absolute(), recalibrate)


def check_engine(
    engine: str,
    precision: str | None,
    *,
    max_drop: float | None,
    tolerance: float | None,
    compiled: bool | None,
    also: Sequence[str],
    calibration: Path | None,
) -> None:
    """BadInput for an option that would not change this engine; None where it was not given."""
    if engine == AUTO and precision is not None:
        raise BadInput(f"--precision {precision} with --engine auto", "none: auto tries all", "the same without it")
    given = {"--max-accuracy-drop": max_drop, "--tolerance": tolerance, "--compiled": compiled}
    for option, value in given.items():
        if engine != AUTO and value is not None:
            raise BadInput(f"{option} with --engine {engine}", "only with --engine auto", "the same without it")
    for name in also:
        if engine != AUTO:
            raise BadInput(f"--also {name} with --engine {engine}", "only with --engine auto", "the same without it")
        if not get_engine(name).slow:
            raise BadInput(
                f"--also {name}, which auto tries anyway", ", ".join(e.name for e in ENGINES.values() if e.slow)
            )
    if engine != AUTO and calibration is not None and precision != "int8":
        got = f"--calibration with --precision {precision or 'fp32'}"
        raise BadInput(got, "only with --precision int8, or --engine auto", "the same without it")


def checked_host(device: Where, engine: str, options: Options) -> str:
    """The machine, "" for this one; raises where another one cannot be reached, or lacks the runtime or precision."""
    host = host_of(device)
    if host and engine != AUTO:
        get_engine(engine).at(host).running.require(options)
    return host


def read_tables(tables: Tables, engine: str, options: Options) -> list[lut.LatencyTable]:
    """The tables that are given; BadInput for one that predicts no engine like this."""
    found = []
    for given in tables:
        table, name = (lut.load(Path(given)), given) if isinstance(given, str | Path) else (given.data, given.path)
        if not any(predicts(table, runtime, wanted) for runtime, wanted in _settings(table, engine, options)):
            made = table.fingerprint.runtime if table.fingerprint else f"{table.status}, without a runtime"
            o, precision = table.options, "any precision" if engine == AUTO else options.precision
            how = f"{made}, {o.precision}, batch {o.batch}, {o.threads} thread(s)"
            got = f"{name or 'the table'} predicts no engine like this ({how})"
            raise BadInput(got, f"{engine}, {precision}, batch {options.batch}, {options.threads} thread(s)")
        found.append(table)
    return found


def _settings(table: lut.LatencyTable, engine: str, options: Options) -> list[tuple[str, Options]]:
    """Runtimes and settings that an engine may have; auto tries all precisions."""
    if engine != AUTO:
        return [(get_engine(engine).profiler, options)]
    any_precision = Options(options.threads, table.options.precision, options.batch)
    return [(e.profiler, e.options(any_precision)) for e in ENGINES.values()]
