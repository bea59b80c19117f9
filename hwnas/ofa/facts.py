"""What a file of weights is, without making anything of it: `checkpoint_facts`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwnas.nets.checkpoint import check_header, provenance_of
from hwnas.nets.tensorfile import read_tensors
from hwnas.ofa.checkpoint import OfaCheckpoint
from hwnas.ofa.torch_file import is_torch_file
from hwnas.space import SearchSpace
from profilers.errors import BadInput

SUPERNET, NETWORK = "supernet", "network"


@dataclass(frozen=True)
class CheckpointFacts:
    """A file of weights.

    kind          "supernet" or "network" (one alone)
    space         that it is of, with the file's classes; once-for-all's files name no resolutions, so they are the
                  space's own
    what          in words: whose file it is, and which of its weights are taken
    parameters    learnable numbers, of all its networks together
    dataset       that it was trained on, None where the file does not say
    """

    path: Path
    kind: str
    space: SearchSpace
    what: str
    parameters: int
    dataset: str | None = None

    @property
    def classes(self) -> int:
        """Of its classifier."""
        return self.space.classes

    def __str__(self) -> str:
        trained = f", trained on {self.dataset}" if self.dataset else ""
        size = f"{self.classes} classes, {self.parameters / 1e6:.2f} M parameters"
        return f"{self.path}: {self.what}; space {self.space.name}, {size}{trained}"

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        own = {"path": str(self.path), "kind": self.kind, "space": self.space.name, "classes": self.classes}
        return own | {"what": self.what, "parameters": self.parameters, "dataset": self.dataset}


def checkpoint_facts(path: Path) -> CheckpointFacts:
    """What a file of weights is: once-for-all's supernets in any form, our own supernets and networks.

    Raises:
        FileProblem: it cannot be read.
        BadInput: it is nothing of these, or damaged; the line says what it is instead, as far as it can be told.
    """
    return _of_torch_file(path) if is_torch_file(path) else _of_ours(path)


def _of_torch_file(path: Path) -> CheckpointFacts:
    found = OfaCheckpoint.read(path)
    fixed = "" if found.elastic else ", without kernel transformation matrices (its smaller kernels are centres)"
    what = f"a supernet of once-for-all{fixed}, {found.weights}"
    return CheckpointFacts(path, SUPERNET, found.find_space(), what, found.parameters)


def _of_ours(path: Path) -> CheckpointFacts:
    tensors, head = read_tensors(path)
    kind = head.get("kind")
    if kind not in (SUPERNET, NETWORK):
        raise BadInput(f"{path} is a {kind or 'safetensors file that hwnas did not write'}", "a supernet or a network")
    space = check_header(head, kind, path)
    parameters = sum(v.numel() for k, v in tensors.items() if ".running_" not in k and v.dtype.is_floating_point)
    what = f"a {kind} of hwnas"
    return CheckpointFacts(path, kind, space, what, parameters, provenance_of(head, path).dataset)
