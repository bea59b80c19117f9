"""What a fine-tuning trains: networks of a space, and well-known ones beside them by the same recipe."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from torch import nn

from hwnas.data import Dataset
from hwnas.nets.checkpoint import Provenance, load_network, save_network
from hwnas.nets.known import KIND, Published, load_known, save_known
from hwnas.nets.network import Network
from hwnas.space import Architecture, SearchSpace
from hwnas.space.arch_lines import stated
from hwnas.train.config import FinetuneConfig


class Source(Protocol):
    """What they begin with and are trained on."""

    config: FinetuneConfig
    space: SearchSpace
    dataset: Dataset
    teacher: Network | None
    identity: dict[str, Any]

    def network(self, arch: Architecture) -> Network:
        """What training starts from."""


class Subject(ABC):
    """A network to train: `id` names its file, `kind` what the file says it is, `size` are its images' px."""

    id: str
    kind: str
    size: int
    dataset: Dataset
    teacher: Network | None
    facts: Mapping[str, Any]  # beside what training finds
    identity: Mapping[str, Any]  # what its weights depend on

    @abstractmethod
    def network(self) -> nn.Module:
        """What training starts from."""

    @abstractmethod
    def save(self, path: Path, network: nn.Module, provenance: Provenance) -> None:
        """Write it."""

    @abstractmethod
    def provenance(self, path: Path) -> Provenance:
        """Of a file that was written."""


class Own(Subject):
    """A network of the space."""

    kind = "network"

    def __init__(self, work: Source, arch: Architecture) -> None:
        self.work, self.arch, self.id, self.size = work, arch, arch.id, arch.r
        self.dataset, self.teacher, self.identity = work.dataset, work.teacher, work.identity
        self.facts = {"id": arch.id, **stated(arch, work.space)}

    def network(self) -> nn.Module:
        """Of the supernet, or random."""
        return self.work.network(self.arch)

    def save(self, path: Path, network: nn.Module, provenance: Provenance) -> None:
        """As `load_network` reads it."""
        assert isinstance(network, Network)
        save_network(path, network, self.work.space, provenance)

    def provenance(self, path: Path) -> Provenance:
        """Of the file."""
        return load_network(path)[2]


class Known(Subject):
    """A network of torchvision; no teacher, for it is to show what it can do by itself."""

    kind, teacher = KIND, None

    def __init__(self, work: Source, text: str, size: int) -> None:
        self.published = Published.of(text)
        self.id, self.size, self.seed = self.published.name, size, work.config.seed
        self.dataset = work.dataset.with_channels(3)
        self.facts = {"id": self.id, "size": size, "from": self.published.origin}
        self.identity = {**work.identity, "model": self.id, "size": size, "weights_sha256": self.published.digest}

    def network(self) -> nn.Module:
        """With its published weights where they are here."""
        return self.published.network(self.dataset.classes, self.seed)

    def save(self, path: Path, network: nn.Module, provenance: Provenance) -> None:
        """As `load_known` reads it."""
        save_known(path, self.id, network, self.dataset.classes, self.size, provenance)

    def provenance(self, path: Path) -> Provenance:
        """Of the file."""
        return load_known(path).provenance
