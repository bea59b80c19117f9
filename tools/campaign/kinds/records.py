"""Small files that are read before anything is done: manifests, a recipe's journal and records, devices."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from tools.campaign.case import Case, Kind
from tools.campaign.mutations import as_json, as_toml, of_bytes, of_tree

ENGINE, PACKAGE, TRAINED = "model.sm_86.engine", "model.pt2", "networks.jsonl"


@dataclass(frozen=True)
class Small:
    """A file: what it holds, who reads it, and how its content is written."""

    name: str
    content: Any
    read: Callable[[], object]
    written: Callable[[Any], bytes] = as_json


def _prepare(folder: Path) -> None:
    pass  # contents are written here


def _mutate(random: Random, prepared: Path, here: Path) -> Case:
    small = random.choice(FILES)
    data = small.written(small.content)
    if random.random() < 0.2:
        what, data = of_bytes(random, data)
    else:
        own = json.loads(json.dumps(small.content))  # in which nothing stands at two places
        what, tree = of_tree(random, own, most=2)
        data = small.written(tree)
    for name in (ENGINE, PACKAGE):
        (here / name).write_bytes(_ENGINE_FILE)
    path = here / small.name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return Case(f"{small.name}: {what}", (small.read,))


# --- who reads them ---------------------------------------------------------------------------------------------------


def engine_manifest() -> object:
    """Of a TensorRT engine."""
    from profilers.runtimes.tensorrt import manifest

    built = manifest.read_engine(Path(ENGINE))
    here = manifest.RuntimeEnvironment("tensorrt", "10.0", "a card", "sm86")
    manifest.check_manifest(built.manifest, built.data, here)
    return built.manifest


def package_manifest() -> object:
    """Of a compiled torch package."""
    from profilers.runtimes.stored_port import ports
    from profilers.runtimes.torch import manifest

    found = manifest.read_manifest(Path(PACKAGE), manifest.Machine("torch", "2.0", "a CPU", "AVX2"))
    return [found, ports(found.inputs)]


def journal() -> object:
    """Of a recipe, written again."""
    from hwnas.recipe.journal import Entry, Journal, changes

    found = Journal(Path())
    for entry in found.entries.values():
        list(changes(entry.settings, {"minutes": 3, "space": {"name": "x"}}))
        found.seconds("table")
        f"{entry.seconds:.1f} {entry.result}"
    found.keep("search", Entry({}, {}))
    return found.entries


def trained() -> object:
    """Networks of a recipe."""
    from hwnas.recipe import records

    rows = records.trained(Path(TRAINED))
    return [(Path("engines") / row["id"], f"{row['val_top1']:.1f}") for row in rows]


def validated() -> object:
    """An engine of a recipe."""
    from hwnas.recipe import records

    found = records.validated(Path("validation.json"))
    return f"{found['measured_ms']:.3g} {found['measured_low']:.3g} {found['measured_high']:.3g}"


def compared() -> object:
    """Known networks of a recipe."""
    from hwnas.recipe import records

    return [(row["name"], row["ms"], row.get("top1")) for row in records.compared(Path("compare.json"))]


def devices() -> object:
    """A user's list."""
    from profilers.devices.named import read_devices

    return sorted(read_devices(Path("devices.toml")).items())


def fingerprint() -> object:
    """Of a device, as tables and datasheets hold it."""
    from profilers.files import read_json
    from profilers.timing.fingerprint import Fingerprint

    found = Fingerprint.from_json(read_json(Path("fingerprint.json")))
    return [found, found.differences(found), found.to_json()]


def holder() -> object:
    """What the holder of a device's lock has written."""
    import os

    from profilers.devices.lock import _holder

    file = os.open("lock.json", os.O_RDONLY)
    try:
        return _holder(file)
    finally:
        os.close(file)


# --- what they hold ---------------------------------------------------------------------------------------------------

_PORT = {"name": "input", "shape": [1, 3, 32, 32], "dtype": "float32"}
_ANSWER = {"name": "output", "shape": [1, 10], "dtype": "float32"}
_ENGINE_FILE = b"engine"
_SHA256 = hashlib.sha256(_ENGINE_FILE).hexdigest()
_MANIFEST = {
    "kind": "hwnas-engine", "schema": 1, "runtime": "tensorrt", "version": "10.0", "targets": ["sm86"],
    "gpu": "a card", "precision": "fp16", "tf32": False, "batch": 1, "optimization": "3", "inputs": [_PORT],
    "outputs": [_ANSWER], "flags": ["fp16"], "bytes": len(_ENGINE_FILE), "engine_sha256": _SHA256,
    "onnx_sha256": "0" * 64, "build_seconds": 12.5,
}  # fmt: skip
_PACKAGE = {
    "kind": "hwnas-torch-package", "schema": 1, "runtime": "torch", "torch": "2.0", "device": "a CPU",
    "capability": "AVX2", "precision": "fp32", "batch": 1, "threads": 1, "channels_last": False, "inputs": [_PORT],
    "outputs": [_ANSWER], "bytes": len(_ENGINE_FILE), "package_sha256": _SHA256, "build_seconds": 20.0,
}  # fmt: skip
_ENTRY = {
    "settings": {"minutes": 3.0, "space": {"name": "tiny"}}, "sources": {"images": "0" * 64}, "seconds": 3.5,
    "finished": True, "result": "12 networks",
}  # fmt: skip
_NETWORK = {"id": "0123456789", "val_top1": 71.0, "val_top1_before": 60.0, "arch": {"ks": [3], "r": 12}}
_VALIDATED = {"measured_ms": 1.0, "measured_low": 0.9, "measured_high": 1.1, "top1_agreement": 1.0, "differences": []}
_COMPARED = {"name": "a", "ms": 1.5, "top1": 60.0, "top1_low": 55.0, "top1_high": 65.0, "size": 12}
_FINGERPRINT = {
    "device": "a CPU", "cpu": "a CPU", "cores": 4, "quota": None, "governor": "performance", "max_mhz": 3000.0,
    "flags": ["avx2"], "runtime": "onnxruntime", "runtime_version": "1.23", "threads": 1, "precision": "fp32",
    "batch": 1, "optimization": "", "state": "steady", "cores_effective": 4.0, "affinity": [0, 1], "mhz": 2900.0,
    "memory_gb": 16.0, "os": "Linux", "python": "3.12", "load": 0.5, "placement": None, "card": None,
}  # fmt: skip


def _lines(tree: Any) -> bytes:
    """JSON lines."""
    return b"\n".join(map(as_json, tree)) if isinstance(tree, list) else as_json(tree)


FILES = (
    Small("model.sm_86.json", _MANIFEST, engine_manifest),
    Small("model.json", _PACKAGE, package_manifest),
    Small("recipe.json", {"version": 1, "stages": {"table": _ENTRY, "search": _ENTRY}}, journal),
    Small(TRAINED, [_NETWORK, _NETWORK], trained, _lines),
    Small("validation.json", _VALIDATED, validated),
    Small("compare.json", {"networks": [_COMPARED], "clock": "wall"}, compared),
    Small("devices.toml", {"devices": {"board": "ssh://me@board", "pi": "ssh://pi@10.0.0.7:22"}}, devices, as_toml),
    Small("fingerprint.json", _FINGERPRINT, fingerprint),
    Small("lock.json", {"pid": 3, "user": "me", "since": "2026-11-29T10:00", "doing": "lut build"}, holder),
)
KIND = Kind("records", "manifests, recipe's files, devices, fingerprints", _prepare, _mutate, short=40)
