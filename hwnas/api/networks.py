"""Networks of a search space, each with its weights' origin where it has one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, overload

import numpy as np
from rich.table import Table

from hwnas.api.display import Printable, table
from hwnas.api.frames import frame
from hwnas.api.spaces import Resolutions, pixels, space_of
from hwnas.export.item import counted
from hwnas.ofa.network_files import NetworkFile
from hwnas.onnx.writer import write_onnx
from hwnas.space import Architecture, LayerSpec, SearchSpace
from hwnas.space.arch_lines import stated
from hwnas.space.fixed import ArchitectureLike, SpaceLike
from profilers.errors import BadInput
from profilers.files import write_bytes, write_text

if TYPE_CHECKING:
    import pandas

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

    def export(self, engine: str = "onnxruntime", out: Path | str = "engine", **options: Any) -> Engine:
        """Build an engine, check and measure it, and write it with its datasheet to the folder `out`.

        Args:
            engine: a format of `hwnas.engines()`, "onnx", or "auto" for the fastest of all.
            out: the folder.
            options: as of `hwnas.export`; `random_weights=True` where there are no weights, to measure latency only,
                or `weights=` a module of `torch()` that was trained.
        """
        from hwnas.api.engines import export_network

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
        return _table([self], "Network", "")

    @property
    def remarks(self) -> Sequence[str]:
        """See `Printable`."""
        return [f"{key}: {value}" for key, value in self.to_json().items()]


class Networks(Printable, Sequence[Network]):
    """Some networks, in order; `notes` say what a user should know of them.

    Example:
        >>> import hwnas
        >>> some = hwnas.Networks.sample("tiny", n=3, seed=0)
        >>> len(some), len(some[0].id)
        (3, 10)
    """

    def __init__(self, networks: Sequence[Network], *, title: str = "Networks", notes: Sequence[str] = ()) -> None:
        self._networks, self._title, self.notes = list(networks), title, list(notes)

    @classmethod
    def sample(
        cls,
        space: str | SearchSpace = "mbv3",
        n: int = 10,
        seed: int = 0,
        *,
        resolutions: Resolutions = None,
        classes: int | None = None,
    ) -> Networks:
        """`n` networks, drawn uniformly over the choices of each layer."""
        chosen = space_of(space, resolutions, classes)
        archs = chosen.decode(chosen.sample(n, np.random.default_rng(seed)))
        return cls([Network.of(chosen, arch) for arch in archs])

    @classmethod
    def read(
        cls,
        path: Path | str,
        space: str | SearchSpace | None = None,
        *,
        resolutions: Resolutions = None,
        classes: int | None = None,
        expected: SearchSpace | None = None,
        any_size: bool = False,
    ) -> Networks:
        """The networks of a file: a JSON object a line, or one once-for-all `net.config`.

        Args:
            path: the file.
            space: of bare architectures; those that hwnas wrote name it.
            resolutions: as of `Network`.
            classes: as of `Network`.
            expected: the space that they must be of.
            any_size: whether bare architectures, too, may have any resolution of the space.

        Raises:
            BadInput: which line is wrong and why. FileProblem: the file cannot be read.
        """
        file, sizes = NetworkFile.read(Path(path)), pixels(resolutions)
        if file.is_net_config and expected is None:
            found = file.network(sizes, space, classes)
            return cls([Network.of(found.space, found.arch, about=f"{path}: {found}")], notes=[f"{path}: {found}"])
        chosen, archs = file.networks(space=space, sizes=sizes, classes=classes, expected=expected, any_size=any_size)
        return cls([Network.of(chosen, arch) for arch in archs])

    @overload
    def __getitem__(self, index: int) -> Network: ...
    @overload
    def __getitem__(self, index: slice) -> Networks: ...
    def __getitem__(self, index: int | slice) -> Network | Networks:
        if isinstance(index, slice):
            return Networks(self._networks[index], title=self._title, notes=self.notes)
        return self._networks[index]

    def __len__(self) -> int:
        return len(self._networks)

    def __iter__(self) -> Iterator[Network]:
        return iter(self._networks)

    def save(self, path: Path | str) -> Path:
        """Write them, a JSON object a line, with their space."""
        write_text(Path(path), "".join(json.dumps(network.stated()) + "\n" for network in self))
        return Path(path)

    def to_frame(self) -> pandas.DataFrame:
        """A row a network: id, objectives, params, madds, architecture; EngineUnavailable without pandas."""
        return frame([{"id": n.id, **_figures(n), "why": n.why, "arch": n.to_json()} for n in self])

    def table(self) -> Table:
        """See `Printable`."""
        return _table(self._networks, self._title, "")

    @property
    def remarks(self) -> Sequence[str]:
        """See `Printable`."""
        return self.notes


def plan_networks(
    space: str | SearchSpace = "mbv3",
    n: int = 20,
    batch: int = 64,
    *,
    resolutions: Resolutions = None,
    classes: int | None = None,
    among: Sequence[Network] | None = None,
    seed: int = 0,
) -> tuple[Networks, list[float]]:
    """The most informative networks to measure on a device without per-layer times, best first.

    Args:
        space: as of `Network`.
        n: how many.
        batch: images a run.
        resolutions: as of `Network`.
        classes: as of `Network`.
        among: choose among these.
        seed: of the candidates.

    Returns:
        The networks, of which `LatencyTable.fit` makes a table, and the share of the variance that remains after
        1, 2, …, n of them (predicted).

    Example:
        >>> import hwnas
        >>> networks, left = hwnas.plan_networks("tiny", n=5)
        >>> len(networks), left[4] < left[0]
        (5, True)
    """
    from lut.estimate.experiment_design import plan

    if among:
        chosen, archs = of_a_space(among[0], "a plan")[0], [of_a_space(one, "a plan")[1] for one in among]
    else:
        chosen, archs = space_of(space, resolutions, classes), None
    found, left = plan(chosen, n, batch, among=archs, seed=seed)
    return Networks([Network.of(chosen, arch) for arch in found], title="Networks to measure"), list(left)


def of_a_space(network: Network, what: str) -> tuple[SearchSpace, Architecture]:
    """Its space and architecture; BadInput for a network of no space, which has no genes."""
    space, arch = network.space, network.arch
    if not isinstance(space, SearchSpace) or not isinstance(arch, Architecture):
        raise BadInput(f"a network of no space for {what}", "a network of a search space")
    return space, arch


def genes_of(networks: Sequence[Network], space: SearchSpace) -> Any:
    """(n, n_genes) of networks, each of which must be of `space`."""
    return space.encode([of_a_space(network, "a latency table")[1] for network in networks])


def _figures(network: Network) -> dict[str, float | None]:
    counts = {name: quantity.value for name, quantity in counted(network.space, network.arch).items()}
    return {**counts, **network.objectives}


def _table(networks: Sequence[Network], title: str, caption: str) -> Table:
    figures = [_figures(network) for network in networks]
    names = list(dict.fromkeys(name for row in figures for name in row))
    rows = [
        [n.id, str(n.arch.r), *(_shown(row.get(name)) for name in names)]
        for n, row in zip(networks, figures, strict=True)
    ]
    return table(title, ("id", "px", *names), caption, rows)


def _shown(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value > 1e4 else f"{value:.4g}"
