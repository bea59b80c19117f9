"""What lies beside a package of AOTInductor, `model.pt2` and `model.json`: what it is, and where it may run.

A package is machine code. It is loaded only after its SHA-256, torch's version, and the CPU or card with its driver
have been compared with its manifest.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from profilers.errors import BadInput, FingerprintMismatch
from profilers.files import read_bytes, read_json, sha256, write_json
from profilers.printable import printable
from profilers.runtimes.stored_port import Tensor

KIND, SCHEMA = "hwnas-torch-package", 1
REBUILD = "--rebuild, or export it again here"
SHOWN = 50  # characters of a value of another machine


@dataclass(frozen=True)
class Manifest:
    """What lies beside a package of AOTInductor, which is loaded only where all of it fits."""

    kind: Literal["hwnas-torch-package"]
    """The kind of the file."""
    schema: Literal[1]
    """The version of this schema."""
    runtime: str
    """What made the package: torch or torch-cuda."""
    torch: str
    """Torch's version; no other may load the package."""
    device: str
    """Model of the CPU, or the card with its driver."""
    capability: str
    """The CPU's vector instructions as torch names them, such as AVX2, or a card's, such as sm86."""
    precision: str
    """What it computes in; inputs are converted to it beforehand."""
    batch: int
    """Images a run."""
    threads: int
    """Of the CPU, which are compiled in."""
    channels_last: bool
    """Whether inputs of four dimensions lie in memory that way."""
    inputs: list[Tensor]
    """What goes in, in the order of the call."""
    outputs: list[Tensor]
    """What comes out, in that order."""
    bytes: int
    """Size of the package."""
    package_sha256: str
    """Of the package."""
    build_seconds: float
    """The compiler's time."""


class Machine(NamedTuple):
    """What a package would run on; the fields are the manifest's."""

    runtime: str
    torch: str
    device: str
    capability: str


def write_manifest(path: Path, here: Machine, **facts: Any) -> str:
    """Of the package at `path`, beside it; its file name."""
    data = read_bytes(path)
    sums = {"bytes": len(data), "package_sha256": sha256(data)}
    made = Manifest(kind=KIND, schema=SCHEMA, **here._asdict(), **sums, **facts)  # type: ignore[arg-type]
    target = path.with_suffix(".json")
    write_json(target, asdict(made))
    return target.name


def read_manifest(path: Path, here: Machine) -> Manifest:
    """Of the package at `path`, which may be loaded here then.

    Raises:
        BadInput: no manifest of this schema, or a package whose SHA-256 is another.
        FingerprintMismatch: of another runtime, version or device; the fields are named.
    """
    from profilers.validation import Style, validate

    found = validate(Manifest, read_json(path.with_suffix(".json")), "a package's manifest", Style(remedy=REBUILD))
    if sha256(read_bytes(path)) != found.package_sha256:
        raise BadInput(f"{path} is not the package of its manifest (SHA-256 differs)", remedy=REBUILD)
    there = Machine(*(getattr(found, name) for name in Machine._fields))
    rows = zip(Machine._fields, here, there)
    differ = [f"{name}: {printable(x, SHOWN)} here, {printable(y, SHOWN)} there" for name, x, y in rows if x != y]
    if differ:
        raise FingerprintMismatch(f"the package belongs elsewhere ({'; '.join(differ)})", remedy=REBUILD)
    return found
