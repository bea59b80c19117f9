"""Which weights a network is exported with: a supernet's, or random ones that were asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hwnas.export.datasheet import RANDOM, Figure
from hwnas.space import Architecture, LayerSpec, SearchSpace
from profilers.errors import BadInput
from profilers.files import read_bytes, sha256

if TYPE_CHECKING:
    from hwnas.data import Dataset
    from hwnas.nets import Network

ALLOWED = "--supernet CKPT, or --random-weights for latency only"


@dataclass(frozen=True)
class Wanted:
    """What a user asks for: a supernet's weights, or random ones; neither takes those that the source has."""

    supernet: Path | None = None
    random: bool = False


@dataclass(frozen=True)
class Weights:
    """A network with its weights, where they are from in words, its data set, and warnings (see `Job`)."""

    network: Network
    source: str
    dataset: Dataset | None = None
    warnings: tuple[str, ...] = ()


def random_weights(layers: tuple[LayerSpec, ...], arch: Architecture | None = None) -> Weights:
    """A network of those layers, never trained."""
    from hwnas.nets import Network

    return Weights(Network(layers, arch), "random", warnings=(RANDOM,))


def inherited(supernet: Path, space: SearchSpace, arch: Architecture) -> Weights:
    """Those of a supernet; BadInput if it is of another space or number of classes, or was not trained at this size."""
    from hwnas.accuracy.supernet import inherit

    network, dataset = inherit(supernet, space, arch)
    calibrated = f", BatchNorm recalibrated on {dataset.name}" if dataset else ""
    return Weights(network, f"inherited from {supernet.name} (SHA-256 {digest(supernet)[:16]}){calibrated}", dataset)


def weights_of(wanted: Wanted, space: SearchSpace, arch: Architecture, lacking: str) -> Weights:
    """As wanted; BadInput, with `lacking` as its reason, where nothing is."""
    if wanted.random:
        return random_weights(space.layers(arch), arch)
    if wanted.supernet is None:
        raise BadInput(lacking, ALLOWED)
    return inherited(wanted.supernet, space, arch)


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    return sha256(read_bytes(path))


def without_accuracy(objectives: Mapping[str, Figure]) -> dict[str, Figure]:
    """The search's figures for a network with random weights: its accuracy was that of other weights."""
    return {k: Figure(None, f.unit, f"not measured: {RANDOM}") if k == "top1" else f for k, f in objectives.items()}
