"""Everything that could fail later, looked at before time is spent, and said at once."""

from __future__ import annotations

import shutil
from pathlib import Path

from hwnas.api.network import Network
from hwnas.api.tables import LatencyTable
from hwnas.recipe.journal import Journal, writable
from hwnas.recipe.order import STAGES
from hwnas.recipe.work import Work
from hwnas.space.configured import configured_space
from profilers.errors import BadInput, FileProblem
from profilers.refusals import Refusals

BYTES = 4  # of a weight
COPIES = 8  # of a supernet's weights on disk while it is trained: its file, its state with momentum and teacher, spare
ENGINE = 60e6  # bytes of an exported network and its weights, at most usually
IN_MEMORY = 12  # of weights while training: themselves, gradients, momentum, teacher, PyTorch's own


def check(work: Work) -> Refusals:
    """All that does not fit; nothing is written. Raises at once where the device elsewhere cannot be reached."""
    found = Refusals()
    if work.settings.device.host:
        _ = work.device.profiler
    for one in (*GENERAL, *(check for stage in STAGES for check in stage.checks()), budget):
        with found.collect():
            one(work)
    return found


def out(work: Work) -> None:
    """The folder can be written, and its journal read."""
    writable(work.out)
    Journal(work.out)


def images(work: Work) -> None:
    """They can be read, and there is something to tell apart."""
    if work.dataset.classes < 2:
        raise BadInput(f"{work.dataset.classes} class in {work.reference}", "2 or more classes, a folder each")


def resolutions(work: Work) -> None:
    """The space exists at these."""
    configured_space(work.settings, work.settings.resolutions)


def space(work: Work) -> None:
    """It takes these images, and so many classes."""
    work.dataset.with_channels(work.space.in_channels)


def disk(work: Work) -> None:
    """Room for weights and engines."""
    place = next(path for path in (work.out, *work.out.absolute().parents) if path.exists())
    free, needed = shutil.disk_usage(place).free, BYTES * COPIES * largest(work).params
    needed += int(ENGINE * (work.settings.select.n + len(work.settings.compare.models)))
    if free < needed:
        raise FileProblem(f"{free / 1e6:,.0f} MB free at {place}, about {needed / 1e6:,.0f} are needed (estimated)",
                          remedy="out = a folder on another disk, in the recipe")  # fmt: skip


def memory(work: Work) -> None:
    """Room for the weights while they are trained."""
    free, needed = available_memory(), BYTES * IN_MEMORY * largest(work).params
    if free is not None and free < needed:
        raise BadInput(f"{free / 1e6:,.0f} MB of memory are free, about {needed / 1e6:,.0f} are needed (estimated)",
                       remedy="a smaller space, or another machine")  # fmt: skip


def budget(work: Work) -> None:
    """The smallest network keeps the limit of the device's latency."""
    limit = work.settings.budget.get(work.latency)
    if limit is None:
        return
    if work.table.is_file():
        found = LatencyTable(work.table).predict([smallest(work)])
        low, how = float(found.low[0]), "predicted"
    else:
        low, how = float(work.device.measure([smallest(work)]).rows[0]["low"]), "measured"
    if low > limit:
        got = f"budget.{work.latency} = {limit:g}, but the smallest network takes {low:.3g} ms or more ({how})"
        raise BadInput(got, f"{1.2 * low:.2g} or more", "a smaller space or resolutions")


def smallest(work: Work) -> Network:
    """Of the space."""
    return Network.of(work.space, work.space.extremes()[0])


def largest(work: Work) -> Network:
    """Of the space; a supernet has about its weights."""
    return Network.of(work.space, work.space.extremes()[1])


GENERAL = (out, images, resolutions, space, disk, memory)


def available_memory(path: Path = Path("/proc/meminfo")) -> int | None:
    """Bytes, where the system says it."""
    try:
        lines = dict(line.split(":", 1) for line in path.read_text().splitlines())
        return int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return None
