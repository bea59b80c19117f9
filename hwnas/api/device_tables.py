"""Latency tables of several devices at the same time, each device in a thread: what takes long happens over there."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextvars import copy_context
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from rich.table import Table

from hwnas.api.devices import Device, plan_of
from hwnas.api.display import Printable, table
from hwnas.api.spaces import Resolutions, space_of
from hwnas.api.tables import LatencyTable
from hwnas.space import SearchSpace
from lut.build.methods import get_builder
from profilers.devices.hosts import abandon, place_at
from profilers.errors import BadInput, FileProblem, HwnasError, MeasurementFailed
from profilers.interruption import LISTENING_SECONDS, leaving
from profilers.progress import say, side_by_side, work_at

PLACEHOLDER = "{device}"
HERE = "here"
_ENDING_SECONDS = 10.0  # for threads whose devices were given up

Found = LatencyTable | HwnasError


class DeviceTables(Printable, Mapping[str, LatencyTable]):
    """Tables by device, as the user names it; to ask for one that there is not raises the error of its device.

    `files` are those of all devices, `failed` the errors by device, `built` the devices whose tables this call made.
    """

    def __init__(self, found: Mapping[str, Found], files: Mapping[str, Path], built: Collection[str]) -> None:
        self.tables = {name: each for name, each in found.items() if isinstance(each, LatencyTable)}
        self.failed = {name: each for name, each in found.items() if isinstance(each, HwnasError)}
        self.files, self.built = dict(files), [name for name in self.tables if name in built]

    def __getitem__(self, device: str) -> LatencyTable:
        if device in self.failed:
            raise self.failed[device]
        return self.tables[device]

    def __iter__(self) -> Iterator[str]:
        return iter(self.tables)

    def __len__(self) -> int:
        return len(self.tables)

    def require(self) -> DeviceTables:
        """Itself where every table is complete; MeasurementFailed says which are not, one device's error why."""
        if self.failed and len(self.files) == 1:
            raise next(iter(self.failed.values()))
        if self.failed:
            got = f"{len(self)} of {len(self.files)} tables are complete, none of {', '.join(self.failed)}"
            raise MeasurementFailed(got, remedy="the same command again: it keeps these, and goes on with the others")
        return self

    @property
    def remarks(self) -> Sequence[str]:
        """Why devices have no table."""
        return [f"{device}: {error}" for device, error in self.failed.items()]

    def table(self) -> Table:
        """See `Printable`."""
        rows = [(d, "failed" if d in self.failed else "complete", str(file)) for d, file in self.files.items()]
        return table("Latency tables", ("device", "table", "file"), rows=rows)


def build_tables(
    devices: Sequence[Device],
    space: str | SearchSpace = "mbv3",
    out: Path | str = f"{PLACEHOLDER}.json",
    *,
    resolutions: Resolutions = None,
    classes: int | None = None,
    method: str = "in-context",
    budget_seconds: float | None = None,
    seed: int = 0,
    resume: bool = True,
    fresh: bool = False,
) -> DeviceTables:
    """Measure the tables of several devices at the same time; one that fails is told in a line, the others go on.

    Args:
        devices: of different machines; this one only alone, since work for the others would disturb it.
        out: the tables' files, with `{device}` for the device's name (of an address the host and port).
        space: as of `Device.build_table`, as are the following.
        resolutions: other ones than the space's.
        classes: another number than the space's.
        method: "in-context" or "isolated".
        budget_seconds: soft limit on the measuring time of each.
        seed: of the networks that are measured.
        resume: False to refuse tables, or parts of them, that are there.
        fresh: build all anew.

    Returns:
        The tables by device (`Device.host`, or "here"); those that failed have their errors in `failed`.

    Raises:
        BadInput: a device given twice, devices whose tables would be one file, or what no device could build.

    Example:
        >>> import hwnas
        >>> devices = [hwnas.Device("fake")]  # more: hwnas.Device("onnxruntime", host="ssh://me@board"), …
        >>> tables = hwnas.build_tables(devices, "tiny", resolutions=[12], budget_seconds=1)
        >>> tables.files["here"].name, tables["here"].status, tables.failed
        ('here.json', 'measured', {})
    """
    named = _named(devices)
    files = {name: _file(name, str(out), len(named)) for name in named}
    _require_apart(files)
    chosen, _ = space_of(space, resolutions, classes), (get_builder(method), plan_of(budget_seconds, seed))
    before = {name: _written(file) for name, file in files.items()}

    def build(name: str) -> LatencyTable:
        return named[name].build_table(
            chosen, files[name], method=method, budget_seconds=budget_seconds, seed=seed, resume=resume, fresh=fresh
        )

    if len(named) == 1:
        found = {name: _found(build, name) for name in named}
    else:
        with leaving(lambda: _kept(files)):
            found = _at_once(list(named), build, partial(_abandon, devices))
    return DeviceTables(found, files, [name for name, file in files.items() if _written(file) != before[name]])


def _named(devices: Sequence[Device]) -> dict[str, Device]:
    """Devices by name; BadInput where two are one machine, or this one is among others."""
    if not devices:
        raise BadInput("no device", "one or more")
    places = [place_at(device.host).host if device.host else "" for device in devices]
    for device, place in zip(devices, places, strict=True):
        if places.count(place) > 1:
            got = f"{device.host or 'this machine'} is given {places.count(place)} times"
            raise BadInput(got, "each device once: two measurements would disturb each other")
        if not place and len(places) > 1:
            raise BadInput("this machine among several devices", "others: work for them would disturb its times")
    return {device.host or HERE: device for device in devices}


def _file(name: str, out: str, number: int) -> Path:
    """Where a device's table lies; BadInput for one file for several devices."""
    if PLACEHOLDER not in out and number > 1:
        raise BadInput(f"one file, {out}, for {number} devices", f"a name with {PLACEHOLDER}, as {PLACEHOLDER}.json")
    return Path(out.replace(PLACEHOLDER, _short(name)))


def _short(name: str) -> str:
    """A name as part of a file's: of an address the host and the port."""
    place = urlsplit(name).netloc.rpartition("@")[2] if "://" in name else name.partition("?")[0]
    return re.sub(r"[^\w.-]+", "-", place).strip("-.") or "device"


def _require_apart(files: Mapping[str, Path]) -> None:
    places = list(files.values())
    for name, file in files.items():
        if places.count(file) > 1:
            got = f"{file} would be the table of {places.count(file)} devices"
            raise BadInput(got, "a file each", f"names of your own: hwnas devices add NAME {name!r}")


def _kept(files: Mapping[str, Path]) -> str:
    """What an interruption leaves, "" for nothing."""
    parts = [file.with_name(f"{file.name}.partial") for file in files.values()]
    there = ", ".join(str(path) for path in [*files.values(), *parts] if path.exists())
    return f"finished tables and steps are kept: {there}" if there else ""


def _abandon(devices: Sequence[Device]) -> None:
    for device in devices:
        abandon(device.host)


def _written(file: Path) -> int:
    """When, in nanoseconds; 0 for not at all."""
    return file.stat().st_mtime_ns if file.exists() else 0


def _found(build: Callable[[str], LatencyTable], name: str) -> Found:
    """The table, or what is wrong."""
    try:
        return build(name)
    except HwnasError as error:
        return error
    except OSError as error:
        return FileProblem(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}")


def _at_once(names: Sequence[str], build: Callable[[str], LatencyTable], give_up: Callable[[], object]
             ) -> dict[str, Found]:  # fmt: skip
    """What came of each; a fault of ours ends the call, once all have ended."""
    found: dict[str, Found] = {}
    faults: list[Exception] = []

    def work(name: str) -> None:
        work_at(name)
        try:
            found[name] = each = _found(build, name)
            if isinstance(each, HwnasError):
                say(f"no table: {each}")
        except Exception as error:  # raised again below
            faults.append(error)

    with side_by_side():
        contexts = {name: copy_context() for name in names}  # each thread's own, with the bars in it
        threads = [threading.Thread(target=contexts[name].run, args=(work, name), daemon=True) for name in names]
        _run(threads, give_up)
    if faults:
        raise faults[0]
    return {name: found[name] for name in names}


def _run(threads: Sequence[threading.Thread], give_up: Callable[[], object]) -> None:
    """Until all have ended; an interruption ends them."""
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():
                thread.join(LISTENING_SECONDS)
    except BaseException:
        give_up()
        for thread in threads:
            thread.join(_ENDING_SECONDS)
        raise
