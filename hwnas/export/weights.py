"""Which weights a network is exported with: a supernet's, or random ones that were asked for.

A network that leaves a supernet needs BatchNorm statistics of its own. Our supernets name the data set for that;
once-for-all's were trained on ImageNet, whose images, preparation and class names these networks need.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hwnas.export.datasheet import RANDOM
from hwnas.export.item import ExportItem, Input, counted
from hwnas.export.quantity import Quantity
from hwnas.space import Architecture, LayerSpec, SearchSpace
from lut import LatencyTable
from profilers.errors import BadInput
from profilers.files import read_bytes, sha256

if TYPE_CHECKING:
    from hwnas.data import Dataset
    from hwnas.nets import Network
    from hwnas.ofa.network_files import ResolvedNetwork

STALE = (
    "BatchNorm's statistics are the supernet's and not this network's (--no-recalibration): "
    "its answers may be wrong, and no accuracy is known"
)
ASSUMED = "the file does not say how images are normalised: ImageNet's statistics are assumed, classes are numbers"
ALLOWED = "--supernet CKPT, or --random-weights for latency only"


@dataclass(frozen=True)
class Wanted:
    """What a user asks for: a supernet's weights, or random ones; neither takes those that the source has.

    BatchNorm's statistics are those of `dataset` (a reference) or of the pictures in `images`, by default of the
    supernet's data set; or, without `recalibrate`, as inherited.
    """

    supernet: Path | None = None
    random: bool = False
    dataset: str | None = None
    images: Path | None = None
    recalibrate: bool = True

    def digest(self) -> str:
        """What tells these weights from others; BadInput, FileProblem where the supernet cannot be read."""
        if self.supernet is None:
            return "random" if self.random else ""
        images = str(self.images or "") if self.recalibrate else "statistics as inherited"
        return " ".join([digest(self.supernet), self.dataset or "", images]).strip()


@dataclass(frozen=True)
class Weights:
    """A network with its weights and where they are from; the rest as in `ExportItem`."""

    network: Network
    source: str
    dataset: Dataset | None = None
    warnings: tuple[str, ...] = ()
    input: Input | None = None


def random_weights(layers: tuple[LayerSpec, ...], arch: Architecture | None = None) -> Weights:
    """A network of those layers, never trained."""
    from hwnas.nets import Network

    return Weights(Network(layers, arch), "random", warnings=(RANDOM,))


def published_weights(path: Path, network: ResolvedNetwork) -> Weights:
    """Those that lie beside a net.config, with statistics of their own."""
    from hwnas.data.colour import PHOTOS
    from hwnas.data.imagenet import imagenet_names
    from hwnas.ofa.network_weights import read_network_weights

    loaded, taken = read_network_weights(path, network)
    classes = network.space.classes
    of_imagenet = classes == len(names := imagenet_names())
    labels = names if of_imagenet else tuple(map(str, range(classes)))
    source = f"{path.name} beside its net.config, {taken} (SHA-256 {digest(path)[:16]})"
    known = Input(PHOTOS.mean, PHOTOS.std, PHOTOS.crop, labels) if network.space.in_channels == 3 else None
    return Weights(loaded, source, warnings=() if of_imagenet else (ASSUMED,), input=known)


def inherited(wanted: Wanted, supernet: Path, space: SearchSpace, arch: Architecture) -> Weights:
    """Those of a supernet.

    Raises:
        BadInput: a supernet of another space or number of classes, or that was not trained at this size; images that
            are missing or do not fit.
    """
    from hwnas.accuracy.supernet import inherit

    name = f"inherited from {supernet.name} (SHA-256 {digest(supernet)[:16]})"
    if wanted.images is not None or not wanted.recalibrate:
        return _published(wanted, supernet, space, arch, name)
    network, dataset = inherit(supernet, space, arch, wanted.dataset)
    text = f"{name}, BatchNorm recalibrated on {dataset.name}, {gained(supernet, space, network, dataset)}"
    return Weights(network, text, dataset)


def gained(supernet: Path, space: SearchSpace, network: Network, dataset: Dataset) -> str:
    """What recalibration has done to the accuracy of a network of `supernet`, in words."""
    from hwnas.accuracy.supernet import extract
    from hwnas.train.evaluate import recalibration_effect
    from hwnas.train.optimise import torch_threads

    arch = network.arch
    assert arch is not None  # it was made of one
    with torch_threads(1):
        return str(recalibration_effect(extract(supernet, space, arch)[0], network, dataset, arch.r))


def _published(wanted: Wanted, supernet: Path, space: SearchSpace, arch: Architecture, name: str) -> Weights:
    """Of once-for-all, with statistics of pictures or with its own."""
    from hwnas.accuracy.supernet import extract
    from hwnas.data.colour import PHOTOS
    from hwnas.data.imagenet import imagenet_names

    network, provenance = extract(supernet, space, arch)
    if provenance is not None:
        option = "--images" if wanted.images else "--no-recalibration"
        raise BadInput(f"{option} for {supernet}, which names its data set", "--dataset for another one")
    known = Input(PHOTOS.mean, PHOTOS.std, PHOTOS.crop, imagenet_names())
    if wanted.images is None:
        return Weights(network, f"{name}, BatchNorm as inherited", warnings=(STALE,), input=known)
    dataset, count = _recalibrated(network, arch, wanted.images)
    effect = "without labels" if dataset is None else gained(supernet, space, network, dataset)
    text = f"{name}, BatchNorm recalibrated on {count} images of {wanted.images}, {effect}"
    return Weights(network, text, dataset, input=known)


def _recalibrated(network: Network, arch: Architecture, folder: Path) -> tuple[Dataset | None, int]:
    """Recalibrate on pictures; the data set where they are labelled, and how many were taken."""
    from hwnas.data.unsplit import open_unsplit
    from hwnas.train.evaluate import CALIBRATION, calibration_batches, recalibrate
    from hwnas.train.optimise import torch_threads

    found, labelled = open_unsplit(folder)
    with torch_threads(1):
        recalibrate(network, calibration_batches(found, arch.r))
    return found if labelled else None, min(CALIBRATION, found.size("train"))


def weights_of(wanted: Wanted, space: SearchSpace, arch: Architecture, lacking: str) -> Weights:
    """As wanted; BadInput, with `lacking` as its reason, where nothing is."""
    if wanted.random:
        return random_weights(space.layers(arch), arch)
    if wanted.supernet is None:
        raise BadInput(lacking, ALLOWED)
    return inherited(wanted, wanted.supernet, space, arch)


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    return sha256(read_bytes(path))


def without_accuracy(objectives: Mapping[str, Quantity]) -> dict[str, Quantity]:
    """The search's figures for a network with random weights: its accuracy was that of other weights."""
    return {k: Quantity(None, f.unit, f"not measured: {RANDOM}") if k == "top1" else f for k, f in objectives.items()}


def weighted_item(
    space: SearchSpace,
    arch: Architecture,
    weights: Weights,
    objectives: dict[str, Quantity],
    tables: Sequence[LatencyTable],
) -> ExportItem:
    """The network to export, with what is known of it; BadInput for a table of another space."""
    for table in tables:
        table.bind(space)  # one of another space is refused although it may predict another engine
    if RANDOM in weights.warnings:
        objectives = without_accuracy(objectives)
    known = {**objectives, **counted(space, arch)}
    return ExportItem(
        space, arch, weights.network, weights.source, known, tables, weights.dataset, weights.warnings, weights.input
    )
