"""Files of supernets and networks: safetensors with a header that says what they are and how images are prepared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, TypeVar

from annotated_types import Interval, MaxLen, MinLen
from torch import Tensor, nn

from hwnas.nets.network import Network
from hwnas.nets.supernet import Supernet
from hwnas.nets.tensorfile import read_tensors, write_tensors
from hwnas.space import SearchSpace, stored_space
from profilers.constraints import Count, Positive, Text
from profilers.errors import BadInput

T = TypeVar("T")
VERSION = 1


@dataclass(frozen=True)
class Provenance:
    """Where weights come from: data set, the normalisation of its images (value / 1 - mean) / std, and the training."""

    dataset: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    training: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Of:
    """What a header says of its space."""

    space: Text
    signature: Text
    classes: Count
    resolutions: Annotated[tuple[Annotated[int, Interval(ge=1, le=10_000)], ...], MinLen(1)]
    definition: dict[str, Any] | None = None


@dataclass(frozen=True)
class _Prepared:
    """What a header says of its images; the names of data sets hold folders."""

    dataset: Annotated[str, MaxLen(10_000)]
    mean: Annotated[tuple[float, ...], MinLen(1), MaxLen(100)]
    std: Annotated[tuple[Positive, ...], MinLen(1), MaxLen(100)]
    training: dict[str, Any]


def save_supernet(path: Path, supernet: Supernet, provenance: Provenance) -> None:
    """Write a supernet; FileProblem if the operating system refuses."""
    write_tensors(path, supernet.state_dict(), header("supernet", supernet.space, provenance))


def load_supernet(path: Path, space: SearchSpace | None = None) -> tuple[Supernet, Provenance]:
    """A supernet in evaluation mode and where it comes from.

    Args:
        path: the file.
        space: if given, the space that it must be of (same layers and number of classes; resolutions may differ).

    Raises:
        BadInput: another kind of file, a supernet of another space, a damaged file.
    """
    tensors, head = read_tensors(path)
    own = check_header(head, "supernet", path)
    if space is not None and (space.signature, space.classes) != (own.signature, own.classes):
        got = f"{path} is a supernet of space {own.name} ({own.classes} classes, signature {own.signature})"
        raise BadInput(got, f"space {space.name} ({space.classes} classes, signature {space.signature})")
    supernet = Supernet(own)
    load_state(supernet, tensors, path)
    return supernet.eval(), provenance_of(head, path)


def open_supernet(path: Path, space: SearchSpace | None) -> tuple[Supernet, Provenance | None]:
    """A supernet of our own format or of once-for-all's (any form that its trainers write), which names no data set.

    `space` is the one that it must be of but for resolutions and classes, which are the file's.

    Raises:
        BadInput: as of `load_supernet` and `read_ofa_checkpoint`.
    """
    from hwnas.ofa.checkpoint import read_ofa_checkpoint
    from hwnas.ofa.torch_file import is_torch_file

    if is_torch_file(path):
        return read_ofa_checkpoint(path, space), None
    supernet, provenance = load_supernet(path)
    own = supernet.space
    if space is not None and space.signature != own.signature:
        got = f"{path} is a supernet of space {own.name} (signature {own.signature})"
        raise BadInput(got, f"space {space.name} (signature {space.signature})")
    return supernet, provenance


def save_network(path: Path, network: Network, space: SearchSpace, provenance: Provenance) -> None:
    """Write a network of `space`; FileProblem if the operating system refuses."""
    if network.arch is None:
        raise BadInput("a network without architecture", "one that was made of an Architecture")
    write_tensors(path, network.state_dict(), header("network", space, provenance) | {"arch": network.arch.to_json()})


def load_network(path: Path) -> tuple[Network, SearchSpace, Provenance]:
    """A network in evaluation mode, its space, and where it comes from; errors as of `load_supernet`."""
    tensors, head = read_tensors(path)
    space = check_header(head, "network", path)
    arch = space.parse(head.get("arch"))
    network = Network(space.layers(arch), arch)
    load_state(network, tensors, path)
    return network.eval(), space, provenance_of(head, path)


def header(kind: str, space: SearchSpace, provenance: Provenance) -> dict[str, Any]:
    """What a file says about itself."""
    return {
        "kind": kind,
        "version": VERSION,
        "space": space.name,
        "signature": space.signature,
        "classes": space.classes,
        "in_channels": space.in_channels,
        "resolutions": list(space.resolutions),
        "definition": space.to_json(),
        "provenance": asdict(provenance),
    }


def check_header(head: Mapping[str, Any], kind: str, path: Path) -> SearchSpace:
    """The space that a file is of; BadInput if it is of another kind, version or definition of that space."""
    if head.get("kind") != kind or head.get("version") != VERSION:
        got = f"{path} is a {head.get('kind', 'foreign file')} (version {head.get('version', 'unknown')})"
        raise BadInput(got, f"a {kind} of version {VERSION}")
    own = _part(_Of, head, path)
    space = stored_space(own.space, own.definition, own.resolutions, own.classes, where=str(path))
    if not space.has_signature(own.signature):
        got = f"{path} is of a space {own.space!r} with signature {own.signature}"
        raise BadInput(got, f"{space.signature}, which this version has", "train again")
    return space


def provenance_of(head: Mapping[str, Any], path: Path) -> Provenance:
    """Where the weights of a file come from."""
    found = _part(_Prepared, head.get("provenance"), path)
    return Provenance(found.dataset, found.mean, found.std, found.training)


def _part(kind: type[T], value: Any, path: Path) -> T:
    """What a header says of one thing; it may say more."""
    from profilers.validation import validate

    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]  # a dataclass
    known = {name: value[name] for name in value.keys() & names} if isinstance(value, Mapping) else value
    return validate(kind, known, f"the header of {path}")


def load_state(module: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Copy tensors into a module; BadInput names what is missing, unknown or of another shape."""
    own = module.state_dict()
    if wrong := sorted(own.keys() ^ tensors.keys()):
        word = "lacks" if wrong[0] in own else "has an unknown"
        raise BadInput(f"{path} {word} tensor {wrong[0]!r} ({len(wrong)} differ)")
    for name, value in own.items():
        if value.shape != tensors[name].shape or value.dtype != tensors[name].dtype:
            got = f"{name} in {path} is {tensors[name].dtype} {list(tensors[name].shape)}"
            raise BadInput(got, f"{value.dtype} {list(value.shape)}")
    module.load_state_dict(dict(tensors))
