"""The CPU quota that the process's control groups set (versions 1 and 2): the smallest on the way up to the root.

By hand because psutil does not read quotas and loky rounds them to whole cores.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

ROOT, MEMBERSHIP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def cgroup_quota(root: Path = ROOT, membership: Path = MEMBERSHIP) -> float | None:
    """CPU quota in cores; None if there is none."""
    return min((q for folder in _folders("cpu", root, membership) for q in _quota(folder)), default=None)


def _folders(controller: str, root: Path, membership: Path) -> Iterator[Path]:
    """The process's own group and all above it."""
    for line in system_text(membership).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        base = root if controllers == "" else root / controller
        folder = base / path.strip("/")
        for place in (folder, *folder.parents):
            if place == base.parent:
                break
            yield place


def _quota(folder: Path) -> list[float]:
    v2 = system_text(folder / "cpu.max").split()
    v1 = [system_text(folder / name) for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us")]
    quota, period = v2 if len(v2) == 2 else v1
    return [int(quota) / int(period)] if quota.isdigit() and period.isdigit() and int(period) else []


def system_text(path: Path) -> str:
    """The stripped content of a file of the system; "" where it cannot be read."""
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""
