"""Built engines and their manifests: what an engine is, what it was made from, and where it may run.

An engine is code. It is deserialised only after `check_manifest` has compared its SHA-256, its runtime's version and
its GPU with its manifest. Manifest and engine lie side by side, `model.sm86.engine` and `model.sm86.json`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from profilers.errors import BadInput, FingerprintMismatch
from profilers.files import read_bytes, read_json, sha256, write_bytes, write_json

KIND, SCHEMA = "hwnas-engine", 1
SUFFIX = ".engine"
REBUILD = "rebuild it from its ONNX here (--rebuild)"
_FIELDS = {
    "kind": str, "schema": int, "runtime": str, "version": str, "targets": list, "gpu": str, "precision": str,
    "tf32": bool, "batch": int, "optimization": str, "inputs": list, "outputs": list, "flags": list, "bytes": int,
    "engine_sha256": str, "onnx_sha256": str, "build_seconds": float,
}  # fmt: skip


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
    """JSON's types only.

    runtime, version          what built it, and alone may run it
    targets                   compute capabilities it runs on, such as sm86
    gpu                       the GPU it was tuned on, "" for one built ahead of time for its targets
    precision, tf32, batch    what it computes in (tf32: whether float32 products may be rounded to TF32)
    inputs, outputs           [{"name", "shape", "dtype"}]
    flags, optimization       the builder's
    bytes, engine_sha256      of the engine;  onnx_sha256  of the ONNX as it was given
    build_seconds             the builder's time
    """
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
    return f"{name}: {mine or 'none'} here, {theirs or 'none'} there"


def _refuse(differ: list[str]) -> None:
    if differ:
        raise FingerprintMismatch(f"the engine belongs elsewhere ({'; '.join(differ)})", remedy=REBUILD)


def check_form(manifest: Any) -> None:
    """BadInput unless it is a manifest of this schema, with all its fields and nothing of another type."""
    if not isinstance(manifest, dict) or manifest.get("kind") != KIND or manifest.get("schema") != SCHEMA:
        raise BadInput(f"not an engine's manifest of schema {SCHEMA}", remedy="export it again")
    wrong = [k for k, kind in _FIELDS.items() if type(manifest.get(k)) is not kind]
    wrong += [k for k in ("targets", "flags") if k not in wrong and not all(type(v) is str for v in manifest[k])]
    if wrong:
        raise BadInput(f"an engine's manifest with wrong or missing {', '.join(wrong)}", remedy="export it again")


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
