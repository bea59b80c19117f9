"""`hwnas init` and `hwnas run`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

import hwnas
from hwnas.cli.output import AsJson, emit_for_programs, say
from hwnas.cli.shared import SPACE_HELP, Where
from profilers.errors import BadInput

TEMPLATES = ("search", "supernet", "finetune", "run")


def init(
    place: Annotated[
        str, typer.Argument(metavar="[DIR]", help=f"Where recipe.toml is written; or {', '.join(TEMPLATES)}: print the "
                            "commented template of that file.")
    ] = ".",
    images: Annotated[
        str | None, typer.Option(help="Folder of images, one folder a class; or a data set, as in cifar10:DIR.")
    ] = None,
    space: Annotated[str | None, typer.Option(help=f"{SPACE_HELP}; by default one that fits.")] = None,
    supernet: Annotated[
        Path | None, typer.Option(metavar="CKPT", help="Weights to start from: of hwnas, or once-for-all's.")
    ] = None,
    engine: Annotated[str, typer.Option(help="Runtime of the device.")] = "onnxruntime",
    threads: Annotated[int, typer.Option(help="Threads of the runtime.")] = 1,
    budget: Annotated[
        float | None, typer.Option(metavar="MS", help="Latency budget; by default half-way.")
    ] = None,
    minutes: Annotated[float | None, typer.Option(help="Time for the whole recipe.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Replace a recipe that is there.")] = False,
    where: Where = "",
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Look at a folder of images, the machine and weights, and write a recipe that fits; prints its facts as JSON."""
    if place in TEMPLATES:
        sys.stdout.write(hwnas.template(place))
        return
    if images is None:
        got = "hwnas init without images"
        raise BadInput(got, f"--images DIR, or one of {', '.join(TEMPLATES)} for a template", "hwnas init --images DIR")
    found = hwnas.init(
        images, place, space=space, supernet=supernet, engine=engine, threads=threads, device=where, budget=budget,
        minutes=minutes, fresh=fresh,
    )  # fmt: skip
    for line in found.remarks:
        say(line)
    emit_for_programs(found.to_json())


def run(
    recipe: Annotated[Path, typer.Argument(metavar="[RECIPE]", help="As `hwnas init` writes it.")] = Path(
        "recipe.toml"
    ),
    until: Annotated[str | None, typer.Option(metavar="STAGE", help="The last stage that is run.")] = None,
    start: Annotated[str | None, typer.Option("--from", metavar="STAGE", help="The first stage that is run.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Repeat all of these stages.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only check everything, and say what would be done.")
    ] = False,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a key of the recipe.")
    ] = None,
    where: Where = "",
    as_json: AsJson = False,
) -> None:
    """Carry out a recipe: table, supernet, search, select, finetune, export, validate, compare, report.

    Finished stages that still fit are kept, unfinished ones resume; the last lines say what to ship. Prints JSON.
    """
    found = hwnas.run_recipe(
        recipe,
        until=until,
        start=start,
        fresh=fresh,
        dry_run=dry_run,
        overrides=settings or [],
        device=where,
        say=say,
    )
    emit_for_programs(found.to_json())


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(init)
    app.command()(run)
