"""`hwnas lut plan`, `measure` and `fit`: tables from a few networks measured end to end."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import hwnas
from hwnas.cli.output import AsJson, emit, say, warn
from hwnas.cli.shared import Classes, Fresh, Resolutions, SpaceName, State, Where, modified
from hwnas.space import parse_resolutions
from profilers.base import STEADY
from profilers.errors import BadInput

LinesSpace = Annotated[str | None, typer.Option("--space", help="Search space; by default the one the lines name.")]
MARKS = (5, 10, 20, 30, 50)  # numbers of networks at which `plan` says what is left to learn


def plan(
    space: SpaceName,
    out: Annotated[Path, typer.Option("--out", help="Architectures, one a line.")],
    number: Annotated[int, typer.Option("-n", help="How many networks.")] = 20,
    batch: Annotated[int, typer.Option(help="Images per run.")] = 64,
    resolutions: Resolutions = None,
    classes: Classes = None,
    seed: Annotated[int, typer.Option(help="Seed of the candidates.")] = 0,
    among: Annotated[Path | None, typer.Option(help="Choose among these architectures.")] = None,
) -> None:
    """Propose the most informative networks to measure, best first."""
    candidates = None
    if among is not None:
        expected = hwnas.get_space(space, parse_resolutions(resolutions), classes)
        candidates = hwnas.Networks.read(among, classes=classes, expected=expected)
    found, left = hwnas.plan_networks(
        space, number, batch, resolutions=resolutions, classes=classes, among=candidates, seed=seed
    )
    found.save(out)
    for n in sorted({*(m for m in MARKS if m < number), number}):
        say(f"after {n} networks, {left[n - 1]:.0%} of the variance remains (predicted)")
    say(f"wrote {out}")


def measure(
    networks: Annotated[Path, typer.Argument(help='Lines {"arch": …}, as `lut plan` writes them.')],
    engine: Annotated[str, typer.Option(help="Runtime, see hwnas engines.")] = "onnxruntime",
    out: Annotated[Path | None, typer.Option("--out", help="The networks with their latency.")] = None,
    space: LinesSpace = None,
    classes: Classes = None,
    precision: Annotated[str, typer.Option(help="Precision that it computes in.")] = "fp32",
    batch: Annotated[int, typer.Option(help="Images per run.")] = 1,
    threads: Annotated[int, typer.Option(help="Threads of the runtime.")] = 1,
    optimization: Annotated[str, typer.Option(help="Graph optimization of the runtime; by default its best.")] = "",
    state: State = STEADY,
    bundle: Annotated[Path | None, typer.Option(help="Measure nothing; write a bundle for another machine.")] = None,
    where: Where = "",
    fresh: Fresh = False,
) -> None:
    """Measure networks end to end, or write a bundle that measures them on a machine with only the runtime."""
    if (out is None) is (bundle is None):
        raise BadInput("neither --out nor --bundle" if out is None else "both --out and --bundle", "one of them")
    some = hwnas.Networks.read(networks, space, classes=classes, any_size=True)
    device = hwnas.Device(engine, threads, precision, batch, optimization, state, where)
    if out is None:
        files = device.write_bundle(some, bundle or Path())
        say(f"wrote {len(files)} files to {bundle}; there: python measure.py")
        return
    before = modified(out)
    found = device.measure(some, out, fresh=fresh)
    warn(found.remarks)
    if modified(out) != before:
        say(f"wrote {out}")


def fit(
    out: Annotated[Path, typer.Option("--out", help="The table's file.")],
    networks: Annotated[Path, typer.Option(help='Lines {"arch": …, "latency_ms": …}.')],
    device: Annotated[str, typer.Option(help="Name of the device.")],
    batch: Annotated[int, typer.Option(help="Images per run.")] = 64,
    space: LinesSpace = None,
    resolutions: Resolutions = None,
    classes: Classes = None,
    as_json: AsJson = False,
) -> None:
    """Fit a table to 10 to 50 networks measured end to end, for devices without per-layer times; prints JSON."""
    measured = hwnas.MeasuredNetworks.read(networks, space, resolutions=resolutions, classes=classes)
    found = hwnas.LatencyTable.fit(measured, device, batch).save(out)
    emit(found.data.provenance["cross_validated"])
    say(f"wrote {out}")
