"""What `hwnas export` is given: a run, a file of an architecture, a net.config or a trained network, or any model.

`open_source` tells which, refuses options that this kind has no use for, and gives the networks one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

from hwnas.export.exportable import FLOAT, Exportable
from hwnas.export.item import ExportItem, counted
from hwnas.export.model_source import ModelOptions, is_model, open_model_source
from hwnas.export.run_source import RunSource
from hwnas.export.single_source import SingleSource
from hwnas.export.source_options import ARCH, MODEL, NET_CONFIG, NETWORK, RUN, SourceOptions, check_source
from hwnas.export.weights import Wanted, Weights, digest, published_weights, random_weights, weighted_item, weights_of
from hwnas.ofa.network_files import NetworkFile, ResolvedNetwork
from hwnas.space import Architecture, SearchSpace
from lut import LatencyTable
from profilers.errors import BadInput

if TYPE_CHECKING:
    from torch import nn


class Source(Protocol):
    """Networks to export, one at a time; a context manager.

    notes: what a user should know of the choice, a line each. about: what was read, in words, or "".
    """

    notes: list[str]
    about: str

    @property
    def ids(self) -> list[str]:
        """In the order in which they are exported."""

    @property
    def weights(self) -> str:
        """What tells these weights from others."""

    @property
    def precision(self) -> str:
        """What its engines compute in where nothing else is asked for."""

    def batch(self, usual: int) -> int:
        """Inputs a run where nothing else is asked for; `usual` is the engine's."""

    def item(self, key: str) -> Exportable:
        """The network of that id, with its weights."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class FileSource(SingleSource[ExportItem]):
    """The one network of a file."""

    precision = FLOAT

    def batch(self, usual: int) -> int:
        """See `Source`."""
        return usual


def open_source(source: str | Path | bytes | nn.Module, options: SourceOptions | None = None) -> Source:
    """The networks of a run's folder or of a file, which is read once.

    Args:
        source: a run's folder; architectures as JSON, a net.config, or `.safetensors` of a trained network; a model
            made elsewhere (`.onnx`, "python:module:NAME", what an ONNX file holds, a torch module).
        options: which networks of it, and with which weights and tables.

    Raises:
        BadInput: an option that would change nothing for this kind of source; otherwise as of `item_of_arch`,
            `item_of_net_config`, `item_of_network` and `RunSource`. FileProblem: it cannot be read.
    """
    wanted = options or SourceOptions()
    if not isinstance(source, str | Path) or is_model(source):
        check_source(source if isinstance(source, str | Path) else "a model", MODEL, wanted)
        about = ModelOptions(wanted.shapes, wanted.weights.images, wanted.labels, wanted.preprocessing, wanted.inputs)
        return open_model_source(source, about, wanted.batch)
    path = Path(source)
    if path.is_dir():
        check_source(path, RUN, wanted)
        return RunSource(
            path,
            wanted.ids,
            front=wanted.front,
            wanted=wanted.weights,
            tables=wanted.tables,
            optimistic=wanted.optimistic,
            host=wanted.host,
        )
    if path.suffix == ".safetensors":
        check_source(path, NETWORK, wanted)
        return FileSource(item_of_network(path, wanted.tables))
    return _open_network_file(NetworkFile.read(path), wanted)


def _open_network_file(file: NetworkFile, wanted: SourceOptions) -> FileSource:
    check_source(file.path, NET_CONFIG if file.is_net_config else ARCH, wanted)
    if file.is_net_config:
        network = file.network(wanted.resolutions, wanted.space, wanted.classes)
        item = item_of_net_config(file.path, network, wanted.weights, wanted.tables)
        return FileSource(item, f"{file.path}: {network}")
    space, archs = file.networks(space=wanted.space, sizes=wanted.resolutions, classes=wanted.classes)
    if len(archs) > 1:
        raise BadInput(f"{file.path} holds {len(archs)} architectures", "one", "a file with one line of them")
    return FileSource(item_of_arch(file.path, space, archs[0], wanted.weights, wanted.tables))


def item_of_arch(
    path: Path, space: SearchSpace, arch: Architecture, wanted: Wanted, tables: Sequence[LatencyTable] = ()
) -> ExportItem:
    """The architecture of a file, with the weights that are wanted.

    Raises:
        BadInput: a supernet or table of another space, no weights.
    """
    return weighted_item(space, arch, weights_of(wanted, space, arch, _lacking(path)), counted(space, arch), tables)


def item_of_net_config(
    path: Path, network: ResolvedNetwork, wanted: Wanted, tables: Sequence[LatencyTable] = ()
) -> ExportItem:
    """A published network with the weights beside it, where no others are asked for; otherwise as `item_of_arch`.

    Raises:
        BadInput: a supernet or table of another space, or for a network of none; no weights, or such that do not fit.
    """
    space, arch = network.space, network.arch
    if not isinstance(space, SearchSpace) and (wanted.supernet is not None or tables):
        got = f"{'--supernet' if wanted.supernet else '--table'} for a network of no space"
        raise BadInput(got, "neither: nothing inherits to it or predicts it", "the same without it")
    found = _weights_of_net_config(path, network, wanted)
    if isinstance(space, SearchSpace) and isinstance(arch, Architecture):
        return weighted_item(space, arch, found, counted(space, arch), tables)
    known = counted(space, arch)
    return ExportItem(space, arch, found.network, found.source, known, warnings=found.warnings, input=found.input)


def _weights_of_net_config(path: Path, network: ResolvedNetwork, wanted: Wanted) -> Weights:
    from hwnas.ofa.network_weights import NAMES, weights_beside

    space, arch, beside = network.space, network.arch, weights_beside(path)
    if beside is not None and wanted.supernet is None and not wanted.random:
        return published_weights(beside, network)
    lacking = f"{_lacking(path)} (beside it lies none of {NAMES})"
    if isinstance(space, SearchSpace) and isinstance(arch, Architecture):
        return weights_of(wanted, space, arch, lacking)
    if not wanted.random:
        got = f"{_lacking(path)}, and is of no space that could inherit some"
        raise BadInput(got, f"--random-weights, or beside it one of {NAMES}")
    return random_weights(network.layers)


def item_of_network(path: Path, tables: Sequence[LatencyTable] = ()) -> ExportItem:
    """A network's own file, as `hwnas train finetune` writes it; architecture, space and data set are in it.

    Raises:
        BadInput: another kind of file, a damaged one, a data set that is not here, a table of another space.
    """
    from hwnas.data import get_dataset
    from hwnas.nets.checkpoint import load_network

    network, space, provenance = load_network(path)
    assert network.arch is not None  # the file has one
    dataset = get_dataset(provenance.dataset).with_channels(space.in_channels)
    source = f"trained on {dataset.name} ({path.name}, SHA-256 {digest(path)[:16]})"
    return weighted_item(space, network.arch, Weights(network, source, dataset), counted(space, network.arch), tables)


def _lacking(path: Path) -> str:
    return f"{path} is a network without weights"
