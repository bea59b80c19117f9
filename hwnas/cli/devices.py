"""`hwnas devices`: devices elsewhere by name, and what each is like."""

from __future__ import annotations

from typing import Annotated

import typer

import hwnas
from hwnas.cli.output import AsJson, AsLines, emit, emit_for_programs, put, say, show, warn

Name = Annotated[str, typer.Argument(help="Its name.", show_default=False)]

group = typer.Typer(help="Remote devices by name, for --device NAME.", no_args_is_help=True)


def add(
    name: Name, address: Annotated[str, typer.Argument(metavar="URL", help="ssh://[user@]host[:port][?python=PATH]")]
) -> None:
    """Add a device, or change its address."""
    devices = hwnas.Devices()
    devices.add(name, address)
    say(f"wrote {devices.file}; hwnas devices check {name} says what is there")


def remove(name: Name) -> None:
    """Forget a device."""
    hwnas.Devices().remove(name)


def list_(as_json: AsLines = False) -> None:
    """List the devices."""
    for name, address in hwnas.Devices().items():
        if as_json:
            emit({"name": name, "address": address})
        else:
            put(f"{name:18} {address}")


def check(
    name: Annotated[str, typer.Argument(metavar="NAME|URL", help="A name of the list, or an address.")],
    as_json: AsJson = False,
) -> None:
    """Report the device's state and what to change before you measure; prints JSON."""
    found = hwnas.Devices().check(name)
    emit_for_programs(found.to_json())
    show(found)
    warn(found.remarks)


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    for command in (add, remove, check):
        group.command()(command)
    group.command("list")(list_)
    app.add_typer(group, name="devices")
