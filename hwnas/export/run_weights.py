"""Weights of a run's networks: those that the search evaluated, fine-tuned or inherited, with the same BatchNorm."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from hwnas import accuracy
from hwnas.accuracy import timeout
from hwnas.export import weights
from hwnas.export.weights import Weights
from hwnas.search.kept_weights import weights_file
from profilers.errors import BadInput, FileProblem
from profilers.files import sha256

if TYPE_CHECKING:
    from hwnas.accuracy.supernet import SupernetAccuracy
    from hwnas.nets import Network
    from hwnas.search.archive import Evaluation
    from hwnas.search.run import Run


class RunWeights:
    """Of a run whose accuracies are those of a supernet's weights.

    A network that was fine-tuned is read from the run's folder. One whose weights were not kept (it is not on the
    front, or the run is of a version that kept none) is fine-tuned again in the same way, and must then have the
    accuracy of the archive.
    """

    def __init__(self, run: Run) -> None:
        self.run, self.trained = run, run.config.fine_tunes

    @property
    def supernet(self) -> Path:
        """Its file; FileProblem where the run was moved without it."""
        path = Path(accuracy.split(self.run.config.accuracy)[1])
        if not path.is_file():
            got = f"the supernet of {self.run.folder} is not at {path}"
            raise FileProblem(got, remedy="--supernet with where it is now")
        return path

    @cached_property
    def source(self) -> SupernetAccuracy:
        """What the search asked."""
        from hwnas.accuracy.supernet import SupernetAccuracy

        return SupernetAccuracy(self.supernet, self.run.space, **timeout.without(self.run.config.evaluate))

    def of(self, row: Evaluation) -> Weights:
        """Those of one network.

        Raises:
            BadInput, FileProblem: a kept file of another network, a supernet or data set that is gone, a network that
                was fine-tuned again and is not what the archive has.
        """
        kept = weights_file(self.run.folder, row.arch.id)
        if self.trained and kept.is_file():
            return self._kept(kept, row)
        network, source = self.source.network(row.arch), self.source
        name = f"{self.supernet.name} (SHA-256 {weights.digest(self.supernet)[:16]})"
        if not self.trained:
            effect = weights.gained(self.supernet, self.run.space, network.cpu(), source.dataset)
            text = f"inherited from {name}, BatchNorm recalibrated on {source.dataset.name}, {effect}"
        else:
            text = f"inherited from {name}, fine-tuned on {source.dataset.name} again as in the search"
            self._check(network, row)
        return Weights(network.cpu(), text, source.dataset)

    def digest(self, ids: Sequence[str]) -> str:
        """What tells these networks' weights from others."""
        if not self.trained:
            return weights.digest(self.supernet)
        kept = [path for key in ids if (path := weights_file(self.run.folder, key)).is_file()]
        return sha256("".join(weights.digest(path) for path in kept).encode())

    def _kept(self, path: Path, row: Evaluation) -> Weights:
        from hwnas.data import get_dataset
        from hwnas.nets.checkpoint import load_network

        network, space, provenance = load_network(path)
        own = self.run.space
        if network.arch != row.arch or (space.signature, space.classes) != (own.signature, own.classes):
            raise BadInput(f"{path} holds another network than {row.arch.id} of this run", remedy="remove that file")
        dataset = get_dataset(provenance.dataset).with_channels(space.in_channels)
        text = f"fine-tuned on {dataset.name} in the search (weights/{path.name}, SHA-256 {weights.digest(path)[:16]})"
        return Weights(network, text, dataset)

    def _check(self, network: Network, row: Evaluation) -> None:
        """BadInput if the accuracy differs from the archive's by more than an image."""
        found, archived = self.source.judge(network), float(row.objectives["top1"] or 0.0)
        images = self.source.dataset.size(self.source.split) * (1 + self.source.views)
        if abs(found - archived) > 100.5 / images:
            got = f"the fine-tuned weights of {row.arch.id} were not kept, and fine-tuned again it has top-1 "
            got += f"{found:.2f} % instead of {archived:.2f} %, as on another machine"
            raise BadInput(got, "a network of the front, whose weights are kept", "hwnas train finetune")
