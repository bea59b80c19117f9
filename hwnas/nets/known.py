"""Well-known networks of torchvision for a data set of one's own: other classes, published weights where they are here.

Weights are read by the reader of torch files that executes nothing; nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hwnas.nets.checkpoint import VERSION, Provenance, load_state, provenance_of
from hwnas.nets.tensorfile import read_tensors, write_tensors
from hwnas.ofa.torch_file import read_torch_file
from profilers.errors import BadInput, nearest
from profilers.files import read_bytes, sha256

KIND = "known network"
_AUXILIARY = {name: {"init_weights": True, "aux_logits": False} for name in ("googlenet", "inception_v3")}


@dataclass(frozen=True)
class Published:
    """The name of a network, and the file of its weights; None: they are not here, and it begins with random ones."""

    name: str
    file: Path | None

    @classmethod
    def of(cls, text: str) -> Published:
        """Of "NAME", whose weights may be in torch's cache, or "NAME=FILE"; BadInput for an unknown one."""
        name, _, given = text.partition("=")
        check_known(name)
        if given:
            return cls(name, Path(given))
        from torchvision import models

        weights: Any = models.get_model_weights(name).DEFAULT
        cached = Path(torch.hub.get_dir()) / "checkpoints" / Path(weights.url).name
        return cls(name, cached if cached.is_file() else None)

    @property
    def digest(self) -> str:
        """SHA-256 of the weights, "" for random ones."""
        return sha256(read_bytes(self.file)) if self.file else ""

    @property
    def origin(self) -> str:
        """What is begun with, in words."""
        return f"weights of {self.file}" if self.file else "random weights: torchvision's are not in its cache"

    def network(self, classes: int, seed: int) -> nn.Module:
        """With as many classes; what is of another shape in the file, which is the classifier, stays random."""
        network = make_known(self.name, classes, seed)
        if self.file is not None:
            state = read_torch_file(self.file)
            own = network.state_dict()
            if not isinstance(state, Mapping) or {*own} - {*state}:
                raise BadInput(f"{self.file}", f"torchvision's weights of {self.name}")
            fitting = {k: state[k] for k, value in own.items() if state[k].shape == value.shape}
            if len(own) - len(fitting) > 2:  # weight and bias of the classifier
                raise BadInput(f"{self.file}", f"torchvision's weights of {self.name}")
            network.load_state_dict(fitting, strict=False)
        return network


def check_known(name: str) -> None:
    """BadInput for no classification network of torchvision (the nearest is said)."""
    from torchvision import models

    if name not in (names := models.list_models(module=models)):
        raise BadInput(f"unknown network {name!r}", "classification networks of torchvision", nearest(name, names))


def make_known(name: str, classes: int, seed: int = 0) -> nn.Module:
    """With random weights of that seed."""
    from torchvision import models

    check_known(name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made: nn.Module = models.get_model(name, weights=None, num_classes=classes, **_AUXILIARY.get(name, {}))
    return made


def save_known(path: Path, name: str, network: nn.Module, classes: int, size: int, provenance: Provenance) -> None:
    """Write one; FileProblem if the operating system refuses."""
    head = {"kind": KIND, "version": VERSION, "name": name, "classes": classes, "size": size}
    head["provenance"] = {**vars(provenance)}
    write_tensors(path, network.state_dict(), head)


@dataclass(frozen=True)
class TrainedKnown:
    """What a file of `save_known` holds; the network is in evaluation mode."""

    name: str
    size: int
    network: nn.Module
    provenance: Provenance


def load_known(path: Path) -> TrainedKnown:
    """BadInput for a file of another kind, or a damaged one."""
    tensors, head = read_tensors(path)
    if head.get("kind") != KIND or head.get("version") != VERSION:
        raise BadInput(f"{path} is a {head.get('kind', 'foreign file')}", f"a {KIND} of version {VERSION}")
    name, classes, size = head.get("name"), head.get("classes"), head.get("size")
    if not isinstance(name, str) or not isinstance(classes, int) or not isinstance(size, int) or classes < 1:
        raise BadInput(f"the header of {path} lacks its name, classes or size")
    network = make_known(name, classes)
    load_state(network, tensors, path)
    return TrainedKnown(name, size, network.eval(), provenance_of(head, path))
