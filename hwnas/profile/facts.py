"""What profiling a model found, for those who show it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Generic, TypeVar, overload

from profilers.timing.fingerprint import Fingerprint
from profilers.timing.measurement import Measurement

SHOWN = 2  # operators of fused nodes
QUANTISERS = ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear")


@dataclass(frozen=True)
class Layer:
    """What a runtime executes as one node.

    name    the ONNX node that does the work, op its operator
    fused   other ONNX nodes that are computed in it, fused_ops their operators
    kernel  the runtime's own name of the operator, own its layout changes and the like, whose time is included
    ms      of an untraced run; share is of the whole
    """

    name: str
    op: str
    ms: float
    share: float
    fused: tuple[str, ...] = ()
    fused_ops: tuple[str, ...] = ()
    kernel: str = ""
    own: tuple[str, ...] = ()

    @property
    def operators(self) -> str:
        """As in `Conv + Clip`, or `MatMul + 9 more`; of nodes that quantise, no word."""
        others = [op for op in self.fused_ops if op not in QUANTISERS]
        return " + ".join((self.op, *(others if len(others) <= SHOWN else (f"{len(others)} more",))))


@dataclass(frozen=True)
class Layers:
    """A model's layers in the order in which they run, and how well they explain the whole.

    unattributed_ms   of the whole that no ONNX node explains: between nodes, or in nodes of the runtime's own
    tracing_slowdown  of a traced run against an untraced one, relative
    sum_over_whole    the layers' traced times over the untraced whole, before they were brought to it
    by_wall           whether both are of one clock; on a busy machine a whole is timed by CPU time, and nodes are not
    nodes, timed      ONNX nodes of the model but for constants, and those of them that a layer names; the others were
                      computed when the model was loaded, or left out
    """

    layers: tuple[Layer, ...]
    unattributed_ms: float
    unattributed_share: float
    tracing_slowdown: float
    sum_over_whole: float
    by_wall: bool
    nodes: int
    timed: int

    def tracing(self) -> dict[str, Any]:
        """JSON's types only."""
        return {"slowdown": self.tracing_slowdown, "sum_over_whole": self.sum_over_whole, "by_wall": self.by_wall}

    def by_operator(self) -> list[tuple[str, int, float, float]]:
        """Operator, layers, milliseconds and share; the slowest first."""
        names = dict.fromkeys(layer.op for layer in self.layers)
        groups = [[layer for layer in self.layers if layer.op == name] for name in names]
        found = [(g[0].op, len(g), sum(x.ms for x in g), sum(x.share for x in g)) for g in groups]
        return sorted(found, key=lambda row: -row[2])


@dataclass(frozen=True)
class Facts:
    """One model on one runtime in one precision.

    `ms`, with its 95 % interval `low` to `high`, is what `estimator` says, in the state of the caches `state`; `p90` is
    the 90 % quantile of its blocks. `layers` is None where the runtime tells nothing of nodes; `notes` say why, and
    what else one should know.
    """

    model: str
    about: str
    engine: str
    precision: str
    inputs: dict[str, str]
    measured: Measurement
    fingerprint: Fingerprint
    layers: Layers | None = None
    notes: tuple[str, ...] = ()

    @property
    def ms(self) -> float:
        """Milliseconds of a run."""
        return self.measured.ms

    @property
    def low(self) -> float:
        """Lower end of the 95 % interval, ms."""
        return self.measured.low

    @property
    def high(self) -> float:
        """Upper end of the 95 % interval, ms."""
        return self.measured.high

    @property
    def p90(self) -> float:
        """90 % quantile of the blocks, ms."""
        return self.measured.quantile(0.9)

    @property
    def title(self) -> str:
        """As in `openvino bf16`."""
        return f"{self.engine} {self.precision}"

    def to_json(self) -> dict[str, Any]:
        """JSON's types only; milliseconds, shares of the whole from 0 to 1."""
        m, made, found = self.measured, self.fingerprint, self.layers
        return {
            "engine": self.engine,
            "precision": self.precision,
            "ms": m.ms,
            "low": m.low,
            "high": m.high,
            "p90": self.p90,
            "percentiles": {name: bound._asdict() for name, bound in m.percentiles().items()},
            "samples_s": 1e3 * made.batch / m.ms if m.ms else None,
            "model": self.model,
            "about": self.about,
            "inputs": self.inputs,
            "batch": made.batch,
            "threads": made.threads,
            "state": m.state,
            "estimator": m.estimator,
            "clock": m.clock,
            "blocks": len(m.blocks),
            "rejected": m.rejected,
            "converged": m.converged,
            "contended_fraction": m.contended_fraction,
            "conditions": m.conditions.to_json(),
            "layers": [asdict(layer) for layer in found.layers] if found else [],
            "unattributed": found and {"ms": found.unattributed_ms, "share": found.unattributed_share},
            "tracing": found and found.tracing(),
            "nodes": found and {"all": found.nodes, "timed": found.timed},
            "notes": list(self.notes),
            "fingerprint": made.to_json(),
        }


@dataclass(frozen=True)
class Refusal:
    """An engine that could not be measured, and the reason in one line."""

    engine: str
    precision: str
    reason: str

    def __str__(self) -> str:
        return f"{self.engine} {self.precision}".rstrip() + f": {self.reason}"


F = TypeVar("F", bound=Facts)


@dataclass(frozen=True)
class Several(Sequence[F], Generic[F]):
    """A model on several engines, which took turns, so that their times compare: the fastest first."""

    found: tuple[F, ...]
    refused: tuple[Refusal, ...] = ()

    @overload
    def __getitem__(self, index: int) -> F: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[F]: ...
    def __getitem__(self, index: int | slice) -> F | Sequence[F]:
        return self.found[index]

    def __len__(self) -> int:
        return len(self.found)

    def __iter__(self) -> Iterator[F]:
        return iter(self.found)
