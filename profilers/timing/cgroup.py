"""What the process's control groups allow it (both versions): the smallest limit on the way up to the root."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

ROOT, MEMBERSHIP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def cgroup_quota(root: Path = ROOT, membership: Path = MEMBERSHIP) -> float | None:
    """CPU quota in cores; None without one."""
    return min((q for folder in _folders("cpu", root, membership) for q in _quota(folder)), default=None)


def _folders(controller: str, root: Path, membership: Path) -> Iterator[Path]:
    """The process's own and all above."""
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
    """A file of the system, stripped; "" where it cannot be read."""
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""
