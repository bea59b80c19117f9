"""The part of a build that is done, kept beside the output so that a build killed at any moment goes on.

Batches of another device, runtime, setting or space are never added to: the build refuses, or begins anew with
`fresh`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lut.build.records import MeasurementBatch
from lut.table.fields import checked
from lut.table.store import read_document, write_document
from lut.table.upgrade import upgrade_checkpoint
from profilers.interruption import counted
from profilers.outputs import different, in_the_way
from profilers.timing.fingerprint import Fingerprint

FORMAT = "hwnas-latency-build"


@dataclass(frozen=True)
class _Stored:
    """The content of the file; each batch is checked by itself."""

    settings: dict[str, Any]
    fingerprint: Fingerprint
    batches: list[Any]


@dataclass
class Checkpoint:
    """Batches done so far; `add` saves them all, atomically."""

    path: Path
    settings: Mapping[str, Any]
    fingerprint: Fingerprint
    batches: list[MeasurementBatch] = field(default_factory=list)

    @classmethod
    def open(
        cls, out: Path, settings: Mapping[str, Any], fingerprint: Fingerprint, *, resume: bool = True,
        fresh: bool = False,
    ) -> Checkpoint:  # fmt: skip
        """Continue what stands beside `out`, or start.

        Raises:
            FingerprintMismatch: it was made on another device or with other settings (named), and not `fresh`.
            TableError: it is damaged, and not `fresh`.
            BadInput: there is one, and not `resume`.
        """
        path = out.with_name(f"{out.name}.partial")
        begun = cls(path, settings, fingerprint)
        if fresh or not path.exists():
            return begun
        if not resume:
            raise in_the_way(path, "an unfinished build")
        stored = checked(_Stored, read_document(path, FORMAT, upgrade_checkpoint), str(path))
        differ = fingerprint.differences(stored.fingerprint) + differences(settings, stored.settings)
        if differ:
            raise different(path, differ)
        begun.batches += [MeasurementBatch.from_json(b, str(path)) for b in stored.batches]
        return begun

    def add(self, batch: MeasurementBatch) -> None:
        """Keep a finished batch."""
        self.batches.append(batch)
        content = {"settings": dict(self.settings), "fingerprint": self.fingerprint.to_json()}
        write_document(self.path, FORMAT, {**content, "batches": [b.to_json() for b in self.batches]})

    def has(self, name: str) -> bool:
        """Whether the batch of that name is done."""
        return any(b.name == name for b in self.batches)

    def kept(self) -> str:
        """What an interruption leaves, "" for nothing."""
        if self.batches and not self.path.exists():
            return f"the table is kept in {self.path.with_suffix('')}"
        return f"{counted(len(self.batches), 'finished step')} kept in {self.path}" if self.batches else ""

    def remove(self) -> None:
        """The build is complete."""
        self.path.unlink(missing_ok=True)


def differences(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """A line for each key that says something else, as of fingerprints."""
    names = sorted({*mine, *theirs})
    return [f"{n}: {mine.get(n)} here, {theirs.get(n)} there" for n in names if mine.get(n) != theirs.get(n)]
