"""Which options of `hwnas export` go with which source and engine: one that would change nothing is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lut
from hwnas.export.engines import ENGINES, get_engine
from hwnas.export.item import predicts
from lut import LatencyTable
from profilers.base import Options
from profilers.errors import BadInput

AUTO = "auto"
RUN, ARCH, NET_CONFIG, NETWORK = "a run", "an architecture", "a net.config", "a trained network"
_WEIGHTS = ("--supernet", "--random-weights")
_STATISTICS = ("--dataset", "--images", "--no-recalibration")
TAKES = {
    RUN: ("--id", "--all", "--optimistic", *_WEIGHTS, *_STATISTICS, "--table"),
    ARCH: ("--space", "--resolutions", "--classes", *_WEIGHTS, *_STATISTICS, "--table"),
    NET_CONFIG: ("--space", "--resolutions", "--classes", *_WEIGHTS, *_STATISTICS, "--table"),
    NETWORK: ("--table",),
}


def check_source(source: Path, kind: str, given: Mapping[str, Any]) -> None:
    """BadInput for an option that this kind of source has no use for, or for two that exclude each other.

    Args:
        source: what is exported.
        kind: one of `TAKES`.
        given: by option, what the user said; None, False or nothing where he did not.
    """
    said = [name for name, value in given.items() if value]
    if unused := [name for name in said if name not in TAKES[kind]]:
        got = f"{unused[0]} for {source}, {kind}, which it would not change"
        raise BadInput(got, ", ".join(TAKES[kind]), f"the same without {unused[0]}")
    for group in (_WEIGHTS, ("--id", "--all"), ("--id", "--optimistic"), _STATISTICS):
        if len(both := [name for name in group if name in said]) > 1:
            raise BadInput(f"both {both[0]} and {both[1]}", "one of them")
    if (lone := set(_STATISTICS) & set(said)) and "--supernet" not in said:
        raise BadInput(f"{lone.pop()} without --supernet", "only for weights of a supernet that is given")


def check_engine(engine: str, precision: str | None, given: Mapping[str, Any]) -> None:
    """BadInput for an option that would not change this engine; `given` as of `check_source`, None where not said."""
    said = {name for name, value in given.items() if value is not None}
    if engine == AUTO and precision is not None:
        raise BadInput(f"--precision {precision} with --engine auto", "none: auto tries all", "the same without it")
    if engine != AUTO and (unused := sorted(said & {"--max-accuracy-drop", "--compiled"})):
        raise BadInput(f"{unused[0]} with --engine {engine}", "only with --engine auto", "the same without it")
    if engine != AUTO and "--calibration" in said and precision != "int8":
        got = f"--calibration with --precision {precision or 'fp32'}"
        raise BadInput(got, "only with --precision int8, or --engine auto", "the same without it")


def read_tables(paths: Sequence[Path], engine: str, options: Options) -> list[LatencyTable]:
    """The tables of `--table`; BadInput for one that predicts no engine like this."""
    found = []
    for path in paths:
        table = lut.load(path)
        if not any(predicts(table, name, wanted) for name, wanted in _settings(table, engine, options)):
            made = table.fingerprint.runtime if table.fingerprint else f"{table.status}, without a runtime"
            o, precision = table.options, "any precision" if engine == AUTO else options.precision
            got = f"{path} predicts no engine like this ({made}, {o.precision}, batch {o.batch}, {o.threads} thread(s))"
            raise BadInput(got, f"{engine}, {precision}, batch {options.batch}, {options.threads} thread(s)")
        found.append(table)
    return found


def _settings(table: LatencyTable, engine: str, options: Options) -> list[tuple[str, Options]]:
    """Runtimes and settings that an engine may have; auto tries all precisions."""
    if engine != AUTO:
        return [(get_engine(engine).profiler, options)]
    any_precision = Options(options.threads, table.options.precision, options.batch)
    return [(e.profiler, any_precision) for e in ENGINES.values()]
