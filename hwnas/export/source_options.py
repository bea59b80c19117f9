"""Which options go with which kind of source; one that would change nothing is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hwnas.export.weights import Wanted
from lut import LatencyTable
from profilers.errors import BadInput

RUN, ARCH, NET_CONFIG, NETWORK = "a run", "an architecture", "a net.config", "a trained network"
MODEL = "a model made elsewhere"
_WEIGHTS = ("--supernet", "--random-weights")
_STATISTICS = ("--dataset", "--images", "--no-recalibration")
TAKES = {
    RUN: ("--id", "--all", "--optimistic", *_WEIGHTS, *_STATISTICS, "--table"),
    ARCH: ("--space", "--resolutions", "--classes", *_WEIGHTS, *_STATISTICS, "--table"),
    NET_CONFIG: ("--space", "--resolutions", "--classes", *_WEIGHTS, *_STATISTICS, "--table"),
    NETWORK: ("--table",),
    MODEL: ("--shape", "inputs", "--images", "--labels", "--preprocessing"),
}


@dataclass(frozen=True)
class SourceOptions:
    """What a user says about a source.

    ids, front, optimistic       which networks of a run: named ones, all of its front, or as `hwnas select` chooses
    space, resolutions, classes  of an architecture whose file does not say it
    weights, tables              what they are exported with, and latency tables beside those of a run
    shapes, labels, preprocessing, inputs    of a model made elsewhere (see `model_source.ModelOptions`)
    batch                        what the dynamic first dimension of a model becomes; None where it was not said
    host                         the device on which networks of a run are measured that straddle a budget
    """

    ids: Sequence[str] = ()
    front: bool = False
    optimistic: bool = False
    space: str | None = None
    resolutions: Sequence[int] | None = None
    classes: int | None = None
    weights: Wanted = field(default_factory=Wanted)
    tables: Sequence[LatencyTable] = ()
    shapes: Mapping[str, Sequence[int]] = field(default_factory=dict)
    labels: Path | None = None
    preprocessing: str | None = None
    batch: int | None = None
    inputs: Any = None
    host: str = ""

    @property
    def given(self) -> list[str]:
        """The options that were used, by their names on the command line."""
        weights = self.weights
        values = {
            "--id": self.ids,
            "--all": self.front,
            "--optimistic": self.optimistic,
            "--space": self.space,
            "--resolutions": self.resolutions,
            "--classes": self.classes is not None,
            "--supernet": weights.supernet,
            "--random-weights": weights.random,
            "--table": self.tables,
            "--dataset": weights.dataset,
            "--images": weights.images,
            "--no-recalibration": not weights.recalibrate,
            "--shape": self.shapes,
            "--labels": self.labels,
            "--preprocessing": self.preprocessing,
            "inputs": self.inputs is not None,
        }
        return [name for name, value in values.items() if value]


def check_source(path: str | Path, kind: str, options: SourceOptions) -> None:
    """BadInput for an option that a source of this kind (one of `TAKES`) has no use for, or for two exclusive ones."""
    given = options.given
    if unused := [name for name in given if name not in TAKES[kind]]:
        got = f"{unused[0]} for {path}, {kind}, which it would not change"
        raise BadInput(got, ", ".join(TAKES[kind]), f"the same without {unused[0]}")
    for group in (_WEIGHTS, ("--id", "--all"), ("--id", "--optimistic"), _STATISTICS):
        if len(both := [name for name in group if name in given]) > 1:
            raise BadInput(f"both {both[0]} and {both[1]}", "one of them")
    if kind == MODEL:
        return
    if (lone := sorted({*_STATISTICS} & {*given})) and "--supernet" not in given:
        raise BadInput(f"{lone[0]} without --supernet", "only for weights of a supernet that is given")
