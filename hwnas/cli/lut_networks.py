"""`hwnas lut plan`, `measure` and `fit`: tables from few whole networks, for devices without per-layer times."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from hwnas.cli.shared import Resolutions, SpaceName, emit, people, space_of, warn
from hwnas.networks import holds_net_config, read_archs, read_network
from hwnas.space import Architecture, SearchSpace, get_space
from lut import save
from profilers.base import Options
from profilers.errors import BadInput
from profilers.files import parse_json, read_text, write_text
from profilers.registry import get_profiler

MARKS = (5, 10, 20, 30, 50)  # numbers of networks at which `plan` says what is left to learn


def plan(
    space: SpaceName, out: Annotated[Path, typer.Option("--out", help="Architectures, one a line.")],
    number: Annotated[int, typer.Option("-n", help="How many networks.")] = 20, batch: int = 64,
    resolutions: Resolutions = None, seed: int = 0,
    among: Annotated[Path | None, typer.Option(help="Choose among these architectures.")] = None,
) -> None:  # fmt: skip
    """Propose the networks to measure that tell most about all others, the most telling first."""
    from lut.design import plan as choose

    chosen = space_of(space, resolutions)
    archs, left = choose(
        chosen, number, batch, among=None if among is None else read_archs(chosen, among), seed=seed
    )  # fmt: skip
    write_text(out, "".join(json.dumps({"arch": a.to_json(), "space": chosen.name}) + "\n" for a in archs))
    for n in sorted({*(m for m in MARKS if m < number), number}):
        people().print(f"after {n} networks {left[n - 1]:.0%} of the variance is left (predicted)", highlight=False)
    people().print(f"wrote {out}", markup=False, soft_wrap=True)


def measure(
    networks: Annotated[Path, typer.Argument(help='Lines {"arch": …}, as `lut plan` writes them.')],
    engine: Annotated[str, typer.Option(help="Runtime, see hwnas engines.")] = "onnxruntime",
    out: Annotated[Path | None, typer.Option("--out", help="The networks with their latency.")] = None,
    space: Annotated[str | None, typer.Option(help="Search space; by default the one that the lines name.")] = None,
    precision: str = "fp32", batch: int = 1, threads: int = 1, optimization: str = "",
    bundle: Annotated[Path | None, typer.Option(help="Measure nothing; write all that another machine needs.")] = None,
) -> None:  # fmt: skip
    """Measure whole networks here, or write a folder with which a machine that has only the runtime can do it."""
    from hwnas.onnx_writer import write_onnx
    from lut.whole import measure as measure_whole
    from lut.whole import write_bundle

    if (out is None) is (bundle is None):
        raise BadInput("neither --out nor --bundle" if out is None else "both --out and --bundle", "one of them")
    chosen, archs = _read_networks(networks, space)
    profiler, options = get_profiler(engine), Options(threads, precision, batch, optimization)
    if out is None:
        files = write_bundle(bundle or Path(), chosen, archs, write_onnx, profiler, options)
        people().print(f"wrote {len(files)} files to {bundle}; there: python measure.py", markup=False, soft_wrap=True)
        return
    timings, failed = measure_whole(chosen, archs, write_onnx, profiler, options)
    about = {"space": chosen.name, "engine": engine, "precision": precision, "batch": batch, "threads": threads}
    rows: list[dict[str, Any]] = [
        {"arch": t.arch.to_json(), "latency_ms": t.ms, "low": t.low, "high": t.high, "clock": t.clock, **about}
        for t in timings
    ]
    write_text(out, "".join(json.dumps(row) + "\n" for row in rows))
    warn(failed)
    people().print(f"wrote {out}", markup=False, soft_wrap=True)


def fit(
    space: SpaceName, out: Annotated[Path, typer.Option("--out", help="The table's file.")],
    networks: Annotated[Path, typer.Option(help='Lines {"arch": …, "latency_ms": …}.')],
    device: Annotated[str, typer.Option(help="Its name.")], batch: int = 64, resolutions: Resolutions = None,
) -> None:  # fmt: skip
    """A table from 10 to 50 networks measured end to end on a device that gives no per-layer times."""
    from lut.fewshot import fit as fit_table

    chosen = space_of(space, resolutions)
    archs, times = read_archs(chosen, networks), latencies(networks)
    table = fit_table(chosen, archs, times, batch, device)
    save(table, out)
    emit(table.provenance["cross_validated"])
    people().print(f"wrote {out}", markup=False, soft_wrap=True)


def _rows(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """(where, object) of each line; BadInput for a line that is not an object."""
    found = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if line.strip():
            where = f"{path}, line {number}"
            value = parse_json(line, where)
            if not isinstance(value, dict):
                raise BadInput(f"{where} is {line.strip()[:40]}", "a JSON object")
            found.append((where, value))
    return found


def _read_networks(path: Path, name: str | None) -> tuple[SearchSpace, list[Architecture]]:
    """The space, with the resolutions that occur, and the architectures."""
    if holds_net_config(path):
        network = read_network(path, space=name)
        if not isinstance(network.home, SearchSpace) or not isinstance(network.arch, Architecture):
            raise BadInput(f"{path} is {network}", "a network of a space", f"hwnas export {path}, which measures it")
        return network.home, [network.arch]
    rows = _rows(path)
    names = {str(row["space"]) for _, row in rows if "space" in row} if name is None else {name}
    if len(names) != 1:
        got = f"{path} names {', '.join(sorted(names)) or 'no'} space{'s' * (len(names) > 1)}"
        raise BadInput(got, "one space for all networks", "--space")
    sizes = {arch["r"] for _, row in rows if isinstance(arch := row.get("arch", row), dict) and "r" in arch}
    if any(isinstance(r, bool) or not isinstance(r, int) for r in sizes):
        raise BadInput(f"a resolution in {path} that is no integer", "pixels")
    space = get_space(names.pop(), sorted(sizes) or None)
    return space, read_archs(space, path)


def latencies(path: Path) -> list[float]:
    """The "latency_ms" of each line; BadInput names the line without one."""
    found = []
    for where, row in _rows(path):
        ms = row.get("latency_ms")
        if isinstance(ms, bool) or not isinstance(ms, int | float):
            raise BadInput(f"{where}: latency_ms is {ms!r}", "milliseconds")
        found.append(float(ms))
    return found
