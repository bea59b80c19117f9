"""Built engines and their manifests: what an engine is, what it was made from, and where it may run.

An engine is code. It is deserialised only after `check_manifest` has compared its SHA-256, its runtime's version and
its GPU with its manifest. Manifest and engine lie side by side, `model.sm86.engine` and `model.sm86.json`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from profilers.errors import BadInput, FingerprintMismatch
from profilers.files import read_bytes, read_json, sha256, write_bytes, write_json
from profilers.printable import printable
from profilers.runtimes.stored_port import Tensor

KIND, SCHEMA = "hwnas-engine", 1
SUFFIX = ".engine"
SHOWN = 50  # characters of a value of another machine
REBUILD = "rebuild it from its ONNX here (--rebuild)"


@dataclass(frozen=True)
class Manifest:
    """What lies beside a TensorRT engine, which is deserialised only where all of it fits."""

    kind: Literal["hwnas-engine"]
    """The kind of the file."""
    schema: Literal[1]
    """The version of this schema."""
    runtime: str
    """What built the engine, and alone may run it."""
    version: str
    """Of the runtime; no other may run the engine."""
    targets: list[str]
    """Compute capabilities that the engine runs on, such as sm86."""
    gpu: str
    """The GPU that it was tuned on; empty for one built ahead of time for its targets."""
    precision: str
    """What it computes in."""
    tf32: bool
    """Whether float32 products may be rounded to TF32."""
    batch: int
    """Images a run."""
    optimization: str
    """The builder's level."""
    inputs: list[Tensor]
    """What goes in."""
    outputs: list[Tensor]
    """What comes out."""
    flags: list[str]
    """Of the builder."""
    bytes: int
    """Size of the engine."""
    engine_sha256: str
    """Of the engine."""
    onnx_sha256: str
    """Of the ONNX model as it was given."""
    build_seconds: float
    """The builder's time."""


@dataclass(frozen=True)
class BuiltEngine:
    """A serialised engine and its manifest (see `make_manifest`)."""

    data: bytes = field(repr=False)
    manifest: dict[str, Any]


@dataclass(frozen=True)
class RuntimeEnvironment:
    """What an engine would run on: runtime and version, the GPU's name and capability ("" without a GPU)."""

    runtime: str
    version: str
    gpu: str = ""
    capability: str = ""


def make_manifest(
    data: bytes, onnx: bytes, here: RuntimeEnvironment, targets: tuple[str, ...], **facts: Any
) -> dict[str, Any]:
    """A `Manifest` as JSON; `facts` are what the builder knows."""
    sums = {"bytes": len(data), "engine_sha256": sha256(data), "onnx_sha256": sha256(onnx)}
    built = {"runtime": here.runtime, "version": here.version, "targets": list(targets), "gpu": here.gpu}
    return {"kind": KIND, "schema": SCHEMA, **built, **sums, **facts}


def check_manifest(manifest: dict[str, Any], data: bytes, here: RuntimeEnvironment) -> None:
    """Check, before deserialising, that the engine is the manifest's and runs here.

    Raises:
        BadInput, FingerprintMismatch: as `check_runtime` does, and for another GPU.
    """
    check_runtime(manifest, data, here)
    differ = []
    if manifest["gpu"] not in ("", here.gpu):  # one built for targets was tuned on no GPU
        differ.append(_difference("gpu", here.gpu, manifest["gpu"]))
    if here.capability not in manifest["targets"]:
        differ.append(_difference("capability", here.capability, " ".join(manifest["targets"])))
    _refuse(differ)


def check_runtime(manifest: dict[str, Any], data: bytes, here: RuntimeEnvironment) -> None:
    """Check what needs no GPU: that the engine is the manifest's and of this runtime.

    Raises:
        BadInput: no manifest of this schema, or an engine whose SHA-256 is another.
        FingerprintMismatch: another runtime or version; the field is named.
    """
    check_form(manifest)
    if sha256(data) != manifest["engine_sha256"]:
        raise BadInput("the engine is not the one of its manifest (SHA-256 differs)", remedy=REBUILD)
    both = (("runtime", here.runtime, manifest["runtime"]), ("version", here.version, manifest["version"]))
    _refuse([_difference(*row) for row in both if row[1] != row[2]])


def _difference(name: str, mine: str, theirs: str) -> str:
    return f"{name}: {printable(mine or 'none', SHOWN)} here, {printable(theirs or 'none', SHOWN)} there"


def _refuse(differ: list[str]) -> None:
    if differ:
        raise FingerprintMismatch(f"the engine belongs elsewhere ({'; '.join(differ)})", remedy=REBUILD)


def check_form(manifest: Any) -> None:
    """BadInput unless it is a `Manifest` as JSON."""
    from profilers.validation import Style, validate

    validate(Manifest, manifest, "an engine's manifest", Style(remedy="export it again"))


def write_engine(folder: Path, built: BuiltEngine, stem: str = "model") -> list[str]:
    """Write engine and manifest; their file names."""
    name = f"{stem}.{'-'.join(built.manifest['targets'])}"
    write_bytes(folder / f"{name}{SUFFIX}", built.data)
    write_json(folder / f"{name}.json", built.manifest)
    return [f"{name}{SUFFIX}", f"{name}.json"]


def read_engine(path: Path) -> BuiltEngine:
    """An engine file and the manifest beside it; whether it runs here is not checked yet.

    Raises:
        BadInput: the manifest is none, or the engine is not the one it describes.
        FileProblem: one of the two cannot be read.
    """
    manifest = read_json(path.with_suffix(".json"))
    check_form(manifest)
    built = BuiltEngine(read_bytes(path), manifest)
    if sha256(built.data) != manifest["engine_sha256"]:
        raise BadInput(f"{path} is not the engine of its manifest (SHA-256 differs)", remedy=REBUILD)
    return built
