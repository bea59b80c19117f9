"""An engine made again from the ONNX beside it, for the runtime and the CPU or GPU of this machine or another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hwnas.export import datasheet
from hwnas.export.build import SCRIPT
from hwnas.export.engines import ENGINES, MODEL, Engine, compile_engine, engine_files, script, snippet, stored_engine
from profilers.base import Options, Tensor
from profilers.errors import BadInput
from profilers.files import inside, read_bytes, write_text
from profilers.timing.fingerprint import fingerprint


def rebuild(folder: Path, gpus: tuple[str, ...] = (), host: str = "") -> dict[str, Any]:
    """Build, put it in the place of the old engine, and write the datasheet anew (its latency is not measured yet).

    Args:
        folder: an exported one, of any format but the ONNX itself.
        gpus: compute capabilities to build for; the GPU at hand by default.
        host: the device on which and for which it is built, by default this machine.

    Raises:
        BadInput: an engine that is not compiled, or a changed folder.
        EngineUnavailable: the package is missing, or a GPU where one is needed.
    """
    sheet = datasheet.read(folder)
    engine, old = stored_engine(sheet["engine"]["name"]).at(host), list(sheet["files"])
    if not engine.compiles:
        compiled = ", ".join(e.name for e in ENGINES.values() if e.compiles)
        raise BadInput(f"--rebuild of {engine.name}, which loads its ONNX as it is", compiled)
    options = engine_options(sheet["engine"])
    pair = engine_files(engine, old)
    written = compile_engine(engine, read_bytes(folder / MODEL), options, gpus, folder)
    for name in set(pair) - set(written):
        inside(folder, name).unlink()
    files = [name for name in old if name not in pair] + written
    entry = next(iter(sheet["inputs"]), None) if sheet["preprocessing"] else None
    write_text(folder / SCRIPT, script(engine, options, files, entry))
    datasheet.write(folder, _renewed(sheet, engine, options, folder, files))
    return datasheet.read(folder)


def _renewed(
    sheet: dict[str, Any], engine: Engine, options: Options, folder: Path, files: Sequence[str]
) -> dict[str, Any]:
    """The datasheet's content, with what the new engine changes."""
    inputs = {name: Tensor(tuple(t["shape"]), t["dtype"]) for name, t in sheet["inputs"].items()}
    new = sheet | {
        "engine": sheet["engine"] | {"file": engine_files(engine, files)[0]},
        "files": datasheet.file_facts(folder, list(files)),
        "fingerprint": fingerprint(engine.running, options).to_json(),
        "host": engine.host,
        "latency": _unmeasured(sheet["latency"]) | {"interrupted": _unmeasured(sheet["latency"]["interrupted"])},
        "snippet": snippet(engine, options, inputs, files),
    }
    return {key: value for key, value in new.items() if key not in ("kind", "schema")}


def _unmeasured(latency: dict[str, Any]) -> dict[str, Any]:
    measured = {"value": None, "unit": "ms", "how": "not measured: rebuilt; hwnas validate measures it"}
    return latency | {"measured": measured, "within_interval": None, "timing": None}


def engine_options(engine: dict[str, Any]) -> Options:
    """How a datasheet's engine runs; BadInput if it does not say."""
    try:
        return Options(engine["threads"], engine["precision"], engine["batch"], engine["optimization"])
    except (KeyError, TypeError) as error:
        raise BadInput("the datasheet's engine lacks its settings", remedy="export it again") from error
