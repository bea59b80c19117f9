"""One network of a search space, with its weights' origin where it has one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from rich.table import Table

from hwnas.api.display import Printable, table
from hwnas.api.spaces import Resolutions, space_of
from hwnas.space import Architecture, LayerSpec, SearchSpace
from hwnas.space.arch_lines import stated
from hwnas.space.fixed import ArchitectureLike, SpaceLike
from profilers.errors import BadInput
from profilers.files import write_bytes

if TYPE_CHECKING:
    from hwnas.api.engines import Engine
    from hwnas.export.item import ExportItem
    from hwnas.nets import Network as TorchNetwork


class Network(Printable):
    """One network of a search space.

    Args:
        arch: an architecture, {"ks": […], "e": […], "d": […], "r": 224}.
        space: a name, a path to a space's TOML, `python:module:NAME`, or a `SearchSpace`.
        resolutions: other ones than the space's, a list or "FIRST:LAST:STEP".
        classes: another number of classes than the space's.

    Raises:
        BadInput: an architecture that is not of the space.

    Example:
        >>> import hwnas
        >>> network = hwnas.Network({"ks": [3, 5, 3], "e": [3, 4, 6], "d": [1, 1, 1], "r": 16}, space="tiny")
        >>> network.params, network.madds
        (21890, 64544)
        >>> len(network.onnx()) > 10_000
        True
    """

    def __init__(
        self,
        arch: Mapping[str, Any] | Architecture,
        space: str | SearchSpace = "mbv3",
        *,
        resolutions: Resolutions = None,
        classes: int | None = None,
    ) -> None:
        self.space: SpaceLike = space_of(space, resolutions, classes)
        assert isinstance(self.space, SearchSpace)
        self.arch: ArchitectureLike = (
            self.space.check(arch) if isinstance(arch, Architecture) else self.space.parse(arch)
        )
        self.objectives: Mapping[str, float | None] = {}
        self.why = ""
        self.about = ""
        self.run: Path | None = None

    @classmethod
    def of(
        cls,
        space: SpaceLike,
        arch: ArchitectureLike,
        objectives: Mapping[str, float | None] | None = None,
        *,
        why: str = "",
        run: Path | None = None,
        about: str = "",
    ) -> Self:
        """A network whose architecture is known to be of its space; `run` is the folder that has its weights."""
        made = cls.__new__(cls)
        made.space, made.arch = space, arch
        made.objectives, made.why, made.about, made.run = objectives or {}, why, about, run
        return made

    @property
    def id(self) -> str:
        """Ten hexadecimal digits that name the architecture."""
        return self.arch.id

    @property
    def layers(self) -> tuple[LayerSpec, ...]:
        """Every layer, in order of execution."""
        return self.space.layers(self.arch)

    @property
    def params(self) -> int:
        """Learnable parameters."""
        return sum(layer.params for layer in self.layers)

    @property
    def madds(self) -> int:
        """Multiply-adds of convolutions and linear layers for one image."""
        return sum(layer.madds for layer in self.layers)

    def to_json(self) -> dict[str, Any]:
        """The architecture in plain values, as an accuracy function gets it."""
        return self.arch.to_json()

    def stated(self) -> dict[str, Any]:
        """With its space and number of classes: a line of a file of networks."""
        space, arch = of_a_space(self, "a line of a file of networks")
        return stated(arch, space)

    def onnx(self, path: Path | str | None = None, *, batch: int = 1, random_weights: bool = False) -> bytes:
        """The network as ONNX, input "input" (batch, C, r, r), output "logits" (batch, classes).

        Args:
            path: written to it, if given.
            batch: images a run.
            random_weights: others than those of the run that it comes from.
        """
        from hwnas.nets import fold
        from hwnas.onnx.writer import write_onnx

        trained = self.run is not None and not random_weights and self._has_weights
        model = write_onnx(self.layers, fold(self.torch()) if trained else None, batch=batch)
        if path is not None:
            write_bytes(Path(path), model)
        return model

    def torch(self, *, seed: int = 0, random_weights: bool = False) -> TorchNetwork:
        """The network as a torch module, images (N, C, r, r) to logits (N, classes).

        With the weights that it was evaluated with where its run has them; else, or with `random_weights`, untrained.
        """
        from hwnas.nets import Network as TorchNetwork

        if self.run is not None and not random_weights and self._has_weights:
            return self._item().network
        arch = self.arch if isinstance(self.arch, Architecture) else None
        return TorchNetwork(self.layers, arch, seed=seed)

    def export(self, engine: str | None = None, out: Path | str = "engine", **options: Any) -> Engine:
        """Build an engine, check and measure it, and write it with its datasheet to the folder `out`.

        Args:
            engine: a format of `hwnas.engines()`, "onnx", or "auto" for the fastest of all; by default the device's, or
                "onnxruntime".
            out: the folder.
            options: as of `hwnas.export`; `random_weights=True` where there are no weights, to measure latency only,
                or `weights=` a module of `torch()` that was trained.
        """
        from hwnas.api.exporting import export_network

        return export_network(self.space, self.arch, self.run, engine, Path(out), **options)

    @cached_property
    def _has_weights(self) -> bool:
        from hwnas import accuracy
        from hwnas.search.run import open_run

        assert self.run is not None
        with open_run(self.run) as run:
            return accuracy.split(run.config.accuracy)[0] == "supernet"

    def _item(self) -> ExportItem:
        from hwnas.export.run_source import RunSource

        assert self.run is not None
        with RunSource(self.run, [self.id]) as source:
            return source.item(self.id)

    def table(self) -> Table:
        """See `Printable`."""
        return networks_table([self], "Network", "")

    @property
    def remarks(self) -> Sequence[str]:
        """See `Printable`."""
        return [f"{key}: {value}" for key, value in self.to_json().items()]


def of_a_space(network: Network, what: str) -> tuple[SearchSpace, Architecture]:
    """Its space and architecture; BadInput for a network of no space, which has no genes."""
    space, arch = network.space, network.arch
    if not isinstance(space, SearchSpace) or not isinstance(arch, Architecture):
        raise BadInput(f"a network of no space for {what}", "a network of a search space")
    return space, arch


def genes_of(networks: Sequence[Network], space: SearchSpace) -> Any:
    """(n, n_genes) of networks, each of which must be of `space`."""
    return space.encode([of_a_space(network, "a latency table")[1] for network in networks])


def figures(network: Network) -> dict[str, float | None]:
    """Its counts, and its objectives where it is of a run."""
    from hwnas.export.item import counted

    counts = {name: quantity.value for name, quantity in counted(network.space, network.arch).items()}
    return {**counts, **network.objectives}


def networks_table(networks: Sequence[Network], title: str, caption: str) -> Table:
    """A row a network."""
    found = [figures(network) for network in networks]
    names = list(dict.fromkeys(name for row in found for name in row))
    rows = [
        [n.id, str(n.arch.r), *(_shown(row.get(name)) for name in names)]
        for n, row in zip(networks, found, strict=True)
    ]
    return table(title, ("id", "px", *names), caption, rows)


def _shown(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value > 1e4 or value == round(value) else f"{value:.4g}"
