"""`hwnas lut plan`, `measure` and `fit`: tables from a few networks measured end to end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from hwnas.cli.shared import Classes, Resolutions, SpaceName, State, emit, networks_of, people, space_of, warn
from hwnas.ofa.network_files import read_networks
from hwnas.space.arch_lines import stated
from lut import save
from profilers.base import STATES, STEADY, Options
from profilers.errors import BadInput
from profilers.files import parse_json, read_text, write_text
from profilers.registry import get_profiler
from profilers.timing.measurement import Measurement

LinesSpace = Annotated[str | None, typer.Option("--space", help="Search space; by default the one the lines name.")]
MARKS = (5, 10, 20, 30, 50)  # numbers of networks at which `plan` says what is left to learn


def plan(
    space: SpaceName,
    out: Annotated[Path, typer.Option("--out", help="Architectures, one a line.")],
    number: Annotated[int, typer.Option("-n", help="How many networks.")] = 20,
    batch: int = 64,
    resolutions: Resolutions = None,
    classes: Classes = None,
    seed: int = 0,
    among: Annotated[Path | None, typer.Option(help="Choose among these architectures.")] = None,
) -> None:
    """Propose the most informative networks to measure, best first."""
    from lut.estimate.experiment_design import plan as choose

    chosen, candidates = space_of(space, resolutions, classes), None
    if among is not None:
        chosen, candidates = read_networks(among, classes=classes, expected=chosen)
    archs, left = choose(chosen, number, batch, among=candidates, seed=seed)
    write_text(out, "".join(json.dumps(stated(arch, chosen)) + "\n" for arch in archs))
    for n in sorted({*(m for m in MARKS if m < number), number}):
        people().print(f"after {n} networks, {left[n - 1]:.0%} of the variance remains (predicted)", highlight=False)
    people().print(f"wrote {out}", markup=False, soft_wrap=True)


def measure(
    networks: Annotated[Path, typer.Argument(help='Lines {"arch": …}, as `lut plan` writes them.')],
    engine: Annotated[str, typer.Option(help="Runtime, see hwnas engines.")] = "onnxruntime",
    out: Annotated[Path | None, typer.Option("--out", help="The networks with their latency.")] = None,
    space: LinesSpace = None,
    classes: Classes = None,
    precision: str = "fp32",
    batch: int = 1,
    threads: int = 1,
    optimization: str = "",
    state: State = STEADY,
    bundle: Annotated[Path | None, typer.Option(help="Measure nothing; write a bundle for another machine.")] = None,
) -> None:
    """Measure networks end to end here, or write a bundle that measures them on a machine with only the runtime."""
    from hwnas.onnx.writer import write_onnx
    from lut.build.bench import Workbench
    from lut.build.end_to_end import measure as measure_networks
    from lut.build.end_to_end import write_bundle

    if (out is None) is (bundle is None):
        raise BadInput("neither --out nor --bundle" if out is None else "both --out and --bundle", "one of them")
    chosen, archs = networks_of(networks, space, classes=classes, any_size=True)
    options = Options(threads, precision, batch, optimization, state)
    workbench = Workbench(chosen, write_onnx, get_profiler(engine), options)
    if out is None:
        files = write_bundle(bundle or Path(), workbench, archs)
        people().print(f"wrote {len(files)} files to {bundle}; there: python measure.py", markup=False, soft_wrap=True)
        return
    group = measure_networks(workbench, archs)
    about = {"engine": engine, "precision": precision, "batch": batch, "threads": threads}
    rows = [{**stated(a, chosen), **_latency(group.measured[a.id]), **about} for a in archs if a.id in group.measured]
    write_text(out, "".join(json.dumps(row) + "\n" for row in rows))
    warn([f"network {i}: {group.failed[a.id]}" for i, a in enumerate(archs, 1) if a.id in group.failed])
    people().print(f"wrote {out}", markup=False, soft_wrap=True)


def _latency(found: Measurement) -> dict[str, Any]:
    """A measurement as a line of networks says it."""
    return {"latency_ms": found.ms} | {k: getattr(found, k) for k in ("low", "high", "clock", "state", "estimator")}


def fit(
    out: Annotated[Path, typer.Option("--out", help="The table's file.")],
    networks: Annotated[Path, typer.Option(help='Lines {"arch": …, "latency_ms": …}.')],
    device: Annotated[str, typer.Option(help="Name of the device.")],
    batch: int = 64,
    space: LinesSpace = None,
    resolutions: Resolutions = None,
    classes: Classes = None,
) -> None:
    """Fit a table to 10 to 50 networks measured end to end, for devices without per-layer times."""
    from lut.estimate.few_shot import fit as fit_table

    chosen, archs = networks_of(networks, space, resolutions, classes)
    table = fit_table(chosen, archs, latencies(networks), batch, device, state_of(networks), estimator_of(networks))
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


def state_of(path: Path) -> str:
    """The state that the lines name, `steady` where none does, as other tools measure; BadInput where they differ."""
    states = {str(row.get("state", STEADY)) for _, row in _rows(path)}
    if len(states) > 1 or not states <= set(STATES):
        raise BadInput(f"networks of {path} measured in the states {', '.join(sorted(states))}", ", or ".join(STATES))
    return states.pop() if states else STEADY


def estimator_of(path: Path) -> str:
    """What the lines say of how a latency was estimated, "" where none does; BadInput where they differ."""
    found = sorted({str(row.get("estimator", "")) for _, row in _rows(path)})
    if len(found) > 1:
        names = "; ".join(name or "none stated" for name in found)
        got = f"networks of {path} measured by different estimators ({names})"
        raise BadInput(got, "one, so that all latencies are the same quantity", "measure all with hwnas lut measure")
    return found[0] if found else ""


def latencies(path: Path) -> list[float]:
    """The "latency_ms" of each line; BadInput names the line without one."""
    found = []
    for where, row in _rows(path):
        ms = row.get("latency_ms")
        if isinstance(ms, bool) or not isinstance(ms, int | float):
            raise BadInput(f"{where}: latency_ms is {ms!r}", "milliseconds")
        found.append(float(ms))
    return found
