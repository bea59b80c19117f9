"""The latency table of the device: `hwnas lut build`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hwnas.api.tables import LatencyTable
from hwnas.recipe.digests import text_digest
from hwnas.recipe.stage import Stage
from hwnas.recipe.work import Work
from profilers.errors import BadInput, EngineUnavailable
from profilers.timing.fingerprint import fingerprint


class TableStage(Stage):
    """Measures the layers and some networks on the device."""

    name = "table"

    def settings(self, work: Work) -> dict[str, Any]:
        """The space whatever its classes, and the machine."""
        here = fingerprint(work.device.profiler, work.device.options)
        machine = {"device": here.device, "runtime_version": here.runtime_version}
        asked = {"method": work.settings.table.method, "seed": work.settings.seed, "objective": work.latency}
        space = {"space": work.space.signature, "resolutions": list(work.space.resolutions)}
        settings = {k: v for k, v in work.spoken_device.items() if k != "host"}  # `machine` says where
        return {**space, **asked, "device": settings, "machine": machine}

    def products(self, work: Work) -> Sequence[Path]:
        """The table's file."""
        return [work.table]

    def working(self, work: Work) -> Sequence[Path]:
        """With the checkpoint of an unfinished build."""
        return sorted(work.table.parent.glob(f"{work.table.name}*"))

    def given(self, work: Work) -> str:
        """A file of the recipe's [tables]."""
        return f"{work.table} is given" if work.latency in work.settings.tables else ""

    def made(self, work: Work) -> str:
        """Its times; the figures of a verification change none."""
        if not work.table.is_file():
            return ""
        found = LatencyTable(work.table)
        return text_digest(repr(replace(found.data, verify=None)))

    def checks(self) -> Sequence[Callable[[Work], None]]:
        """The runtime works here as it is asked to, and tables that are given fit the space."""
        return check_device, check_method, check_given

    def run(self, work: Work, seconds: float) -> str:
        """Build it, or go on."""
        asked = work.settings.table
        found = work.device.build_table(
            work.space, work.table, method=asked.method, budget_seconds=asked.seconds or seconds,
            seed=work.settings.seed,
        )  # fmt: skip
        error = found.data.interval_source
        return f"{work.table.name} of {found.device}" + (f", interval by {error}" if error else "")


def check_device(work: Work) -> None:
    """EngineUnavailable, or BadInput for a precision that it has not."""
    device = work.device
    if not (status := device.status).available:
        raise EngineUnavailable(f"[device] {device.engine}: {status.reason}", remedy=status.remedy)
    if device.precision not in (known := device.profiler.precisions):
        raise BadInput(f"device.precision = {device.precision!r} of {device.engine}", ", ".join(known))


def check_method(work: Work) -> None:
    """BadInput for a method that the runtime is not made for."""
    in_context = work.settings.table.method == "in-context"
    if in_context and work.latency not in work.settings.tables and not work.device.profiler.traces:
        raise BadInput(f"table.method of {work.device.engine}, which times no single layers", "isolated")


def check_given(work: Work) -> None:
    """TableError or FileProblem for a file that does not fit."""
    for path in work.settings.tables.values():
        LatencyTable(work.folder / path).data.bind(work.space)
