"""A compiled engine made again from the ONNX beside it, for the runtime and the GPU of this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hwnas.export import datasheet
from hwnas.export.build import SCRIPT
from hwnas.export.engines import MODEL, engine_file, get_engine, script, snippet
from profilers import trt_build
from profilers.base import Options
from profilers.errors import BadInput
from profilers.files import inside, read_bytes, write_text
from profilers.fingerprint import fingerprint
from profilers.registry import get_profiler
from profilers.trt_manifest import SUFFIX, read_engine, write_engine

FLAVOURS = {flavour.name: flavour for flavour in (trt_build.TENSORRT, trt_build.TENSORRT_RTX)}


def rebuild(folder: Path, gpus: tuple[str, ...] = ()) -> dict[str, Any]:
    """Build, put it in the place of the old engine, and write the datasheet anew (its latency is not measured yet).

    Args:
        folder: an exported one, of an engine that is compiled.
        gpus: compute capabilities to build for; the GPU at hand by default.

    Raises:
        BadInput: an engine that is not compiled, or a changed folder.
        EngineUnavailable: the package is missing, or a GPU where one is needed.
    """
    sheet = datasheet.read(folder)
    engine = get_engine(sheet["engine"]["name"])
    if engine.compile is None:
        raise BadInput(f"--rebuild of {engine.name}, which loads its ONNX as it is", ", ".join(FLAVOURS))
    old = engine_file(list(sheet["files"]))
    manifest = read_engine(inside(folder, old)).manifest
    built = trt_build.rebuild(FLAVOURS[engine.profiler], manifest, read_bytes(folder / MODEL), gpus)
    pair = (old, old.removesuffix(SUFFIX) + ".json")
    written = write_engine(folder, built)
    for name in set(pair) - set(written):
        inside(folder, name).unlink()
    files = [name for name in sheet["files"] if name not in pair] + written
    options = Options(*(sheet["engine"][key] for key in ("threads", "precision", "batch", "optimization")))
    write_text(folder / SCRIPT, script(engine, options, files))
    profiler, shape = get_profiler(engine.profiler), sheet["preprocessing"]
    measured = {"value": None, "unit": "ms", "how": "not measured: rebuilt; hwnas validate measures it"}
    new = sheet | {
        "files": datasheet.file_facts(folder, files),
        "fingerprint": fingerprint(profiler, options).to_json(),
        "latency": sheet["latency"] | {"measured": measured, "within_interval": None, "timing": None},
        "snippet": snippet(
            engine, options, (options.batch, shape["channels"], shape["size"], shape["size"]), files,
            profiler.status().version or "unknown",
        ),
    }  # fmt: skip
    datasheet.write(folder, {key: value for key, value in new.items() if key not in ("kind", "schema")})
    return datasheet.read(folder)
