"""What is checked, on what, and how much of it: the same for all parts."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path

ROOMY_GB, SMALL_BATCH = 40.0, 16  # a group of 18 networks at batch 64 takes some 30 GB with its CUDA graphs
_SHORT = {
    "min_rounds": 4, "max_rounds": 4, "least_seconds": 0.0, "relative_interval": 1.0, "block_ms": 0.0,
    "runs_per_block": 1, "untimed_runs": 1, "warmup_runs": 1, "warmup_max_runs": 2, "max_wall_over_cpu": 1e3,
}  # fmt: skip


@dataclass(frozen=True)
class Check:
    """One run of the check.

    runtime      that is checked
    others       runtimes beside it
    space        whose networks are measured, at `resolutions` in a table, with `batch` images a run
    verified     networks that the table is verified on
    planned      networks of `lut plan` that a table is fitted to
    tested       networks that predictions are compared with
    compared     networks that are run in every precision and mode
    exported     networks
    folder       for files of the parts
    ends         when the part that is running must be done (`time.monotonic`)
    """

    folder: Path
    runtime: str = "torch-cuda"
    others: tuple[str, ...] = ("tensorrt", "tensorrt-rtx", "onnxruntime-cuda")
    space: str = "mbv3"
    resolutions: tuple[int, ...] = (192, 224, 256)
    batch: int = 64
    verified: int = 60
    planned: int = 20
    tested: int = 100
    compared: int = 5
    exported: int = 2
    pretended: bool = False
    ends: float = field(default=float("inf"))

    @classmethod
    def pretend(cls, folder: Path) -> Check:
        """The CPU in the card's place, with small sizes; whatever is timed in this process is timed shortly."""
        _hasten()
        small = cls(folder, "torch", ("onnxruntime", "openvino"), "tiny", (12, 14), batch=4)
        return replace(small, verified=4, planned=6, tested=12, compared=2, exported=1, pretended=True)

    def __str__(self) -> str:
        return f"{self.runtime} on {self.space} at {', '.join(map(str, self.resolutions))} px, batch {self.batch}"

    def fitting(self, memory_gb: float) -> Check:
        """The same for a card of that memory: many networks are on it at once."""
        return self if memory_gb >= ROOMY_GB else replace(self, batch=SMALL_BATCH)

    @property
    def seconds(self) -> float:
        """That the part still has."""
        return self.ends - time.monotonic()

    @property
    def table(self) -> Path:
        """The file of the table that was measured in context."""
        return self.folder / "table.json"

    @property
    def networks(self) -> Path:
        """The file of the random networks that were measured end to end."""
        return self.folder / "measured.jsonl"

    @property
    def planned_networks(self) -> Path:
        """The file of those that a table was fitted to."""
        return self.folder / "planned.jsonl"


def _hasten() -> None:
    """Time everything in a few rounds: figures that are pretended need not be good ones."""
    from profilers.timing import plans

    for plan in (plans.COVER, plans.NETWORKS, plans.VERIFY, plans.COMPARE, plans.ENGINE):
        for name, value in _SHORT.items():
            object.__setattr__(plan, name, value)
