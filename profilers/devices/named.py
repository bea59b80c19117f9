"""Devices by name: a user's list in `devices.toml`, in the user's configuration folder (XDG Base Directory)."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path

import tomli_w

from profilers.errors import BadInput, FileProblem, nearest
from profilers.files import read_text, write_text

FILE = "devices.toml"
NAME = re.compile(r"[A-Za-z0-9][\w-]{0,63}")  # no dot, slash or colon: an address has one


def devices_file() -> Path:
    """XDG_CONFIG_HOME/hwnas/devices.toml, else ~/.config/hwnas/devices.toml; it need not exist yet."""
    base = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    if not base.is_absolute():
        try:
            base = Path.home() / ".config"
        except RuntimeError as error:
            raise FileProblem("there is no home folder for devices.toml", remedy="XDG_CONFIG_HOME=DIR") from error
    return base / "hwnas" / FILE


def read_devices(path: Path) -> dict[str, str]:
    """Addresses by name; none where there is no file. BadInput for one that is something else."""
    if not path.exists():
        return {}
    try:
        found = tomllib.loads(read_text(path)).get("devices", {})
    except (ValueError, RecursionError) as error:  # a number of too many digits is a ValueError of Python's
        raise BadInput(f"{path} is not valid TOML: {error}") from error
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise BadInput(f"{path} has something else than addresses", 'lines NAME = "ssh://me@board" under [devices]')
    return dict(found)


def write_devices(path: Path, devices: dict[str, str]) -> None:
    """Write all of them, in one step."""
    write_text(path, tomli_w.dumps({"devices": devices}))


def check_name(name: str) -> None:
    """BadInput for a name that could be taken for an address."""
    if not NAME.fullmatch(name):
        raise BadInput(f"device name {name!r}", "letters, digits, - and _")


def address(host: str) -> str:
    """The address of a name; an address as it is. BadInput for an unknown name."""
    if not NAME.fullmatch(host):
        return host
    devices = read_devices(devices_file())
    if host not in devices:
        known = ", ".join(devices) or "none is known yet"
        raise BadInput(
            f"unknown device {host!r}", known, nearest(host, list(devices)) or "hwnas devices add NAME ssh://…"
        )
    return devices[host]
