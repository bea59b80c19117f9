"""Some networks: sampled, read from a file, or planned for a measurement."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, overload

import numpy as np
from rich.table import Table

from hwnas.api.display import Printable
from hwnas.api.frames import frame
from hwnas.api.network import Network, figures, networks_table, of_a_space
from hwnas.api.spaces import Resolutions, pixels, space_of
from hwnas.ofa.network_files import NetworkFile
from hwnas.space import Genes, SearchSpace
from profilers.files import write_text

if TYPE_CHECKING:
    import pandas


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
        return frame([{"id": n.id, **figures(n), "why": n.why, "arch": n.to_json()} for n in self])

    def table(self) -> Table:
        """See `Printable`."""
        return networks_table(self._networks, self._title, "")

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


class Decoded(Sequence[Network]):
    """Networks of (n, n_genes) genes, each made when it is asked for."""

    def __init__(self, space: SearchSpace, genes: Genes) -> None:
        self._space, self._genes = space, genes

    def __len__(self) -> int:
        return len(self._genes)

    @overload
    def __getitem__(self, index: int) -> Network: ...
    @overload
    def __getitem__(self, index: slice) -> Decoded: ...
    def __getitem__(self, index: int | slice) -> Network | Decoded:
        if isinstance(index, slice):
            return Decoded(self._space, self._genes[index])
        (arch,) = self._space.decode(self._genes[index][None].astype(np.int64))
        return Network.of(self._space, arch)
