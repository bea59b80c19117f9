"""On which kind of cores a model's threads run, where a machine has several kinds, or where threads share a core.

A performance core is two to four times as fast as an efficient one of the same processor, and two threads on one
physical core are slower than on two: times of different placements do not compare.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from profilers.timing.cgroup import system_text

CPUS, DEVICES = Path("/sys/devices/system/cpu"), Path("/sys/devices")
_INTEL = {"cpu_core": "performance cores", "cpu_atom": "efficient cores", "cpu_lowpower": "low-power cores"}
_OTHER = ("cpu_capacity", "cpufreq/cpuinfo_max_freq")  # ARM's relative speed; the highest clock, kHz
_ALIKE = 0.9  # favoured cores of one kind have a slightly higher clock


def placement(affinity: Sequence[int], threads: int, cpus: Path = CPUS, devices: Path = DEVICES) -> str:
    """What sets the cores of `threads` threads apart; "" on a machine whose cores are alike, a thread on each.

    Threads are pinned to the first allowed cores (`profilers.timing.pinning`).
    """
    used = list(affinity[:threads])
    kind, shared = _kind(used, cpus, devices), _shared(used, cpus)
    return ", ".join(text for text in (kind, shared) if text)


def _kind(used: Sequence[int], cpus: Path, devices: Path) -> str:
    """The kind of the cores used, "" where the machine has one kind only or does not say."""
    named = {name: listed(system_text(devices / folder / "cpus")) for folder, name in _INTEL.items()}
    if sum(bool(cores) for cores in named.values()) > 1:
        return " and ".join(name for name, cores in named.items() if cores & {*used})
    return next((text for name in _OTHER if (text := _class(used, cpus, name))), "")


def _class(used: Sequence[int], cpus: Path, name: str) -> str:
    """By a number that the system gives each core, as in "cpu_capacity 40 % of the largest"."""
    values = {
        int(folder.name.removeprefix("cpu")): int(text)
        for folder in cpus.glob("cpu[0-9]*")
        if (text := system_text(folder / name)).isdigit() and int(text)
    }
    most = max(values.values(), default=0)
    if not most or min(values.values()) >= _ALIKE * most:
        return ""
    shares = sorted({round(100 * values[core] / most) for core in used if core in values})
    return f"{Path(name).name} {' and '.join(map(str, shares))} % of the largest"


def _shared(used: Sequence[int], cpus: Path) -> str:
    """How many physical cores several threads have, "" where each has its own."""
    places = [cpus / f"cpu{core}" / "topology" for core in used]
    own = {(system_text(place / "physical_package_id"), system_text(place / "core_id")) for place in places}
    if len(own) == len(used) or ("", "") in own:
        return ""
    return f"{len(used)} threads on {len(own)} physical core{'s' if len(own) > 1 else ''}"


def listed(text: str) -> set[int]:
    """The numbers of a list such as 0-7,16."""
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        if first.isdigit() and (not last or last.isdigit()):
            found |= set(range(int(first), int(last or first) + 1))
    return found
