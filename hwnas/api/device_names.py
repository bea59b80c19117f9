"""A user's devices by name, and what each is like."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.table import Table

from hwnas.api.display import Facts, Printable, table
from profilers.devices.checkup import advice
from profilers.devices.hosts import place_at, profilers_at
from profilers.devices.named import check_name, devices_file, read_devices, write_devices
from profilers.errors import BadInput, nearest


class Devices(Printable, Mapping[str, str]):
    """Addresses of devices by name, for `Device(..., host=NAME)` and `--device NAME`.

    Args:
        file: the list, by default `hwnas/devices.toml` in the user's configuration folder.

    Raises:
        BadInput: a file that is something else.

    Example:
        >>> import hwnas
        >>> devices = hwnas.Devices("devices.toml")
        >>> devices.add("board", "ssh://me@192.168.0.7?python=/opt/venv/bin/python")
        >>> list(hwnas.Devices("devices.toml"))
        ['board']
    """

    def __init__(self, file: Path | str | None = None) -> None:
        self.file = devices_file() if file is None else Path(file)
        self.addresses = read_devices(self.file)

    def __getitem__(self, name: str) -> str:
        return self.addresses[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.addresses)

    def __len__(self) -> int:
        return len(self.addresses)

    def add(self, name: str, address: str) -> None:
        """Add a device, or change its address; nothing is asked of it. BadInput: no name, or no address."""
        check_name(name)
        place_at(address)
        self.addresses[name] = address
        write_devices(self.file, self.addresses)

    def remove(self, name: str) -> None:
        """Forget a device; BadInput for an unknown one."""
        if name not in self:
            raise BadInput(f"unknown device {name!r}", ", ".join(self) or "none is known", nearest(name, list(self)))
        del self.addresses[name]
        write_devices(self.file, self.addresses)

    def check(self, name: str) -> Facts:
        """What a device is like: a name of the list, or an address. The remarks say what to do before one measures.

        Raises:
            DeviceUnreachable: why it cannot be reached, or what the agent lacks there.
        """
        place = place_at(self.addresses.get(name, name))
        runtimes = {p.name: p.status() for p in profilers_at(place.host) if p.device != "simulated"}
        works = {key: status.version for key, status in runtimes.items() if status.available}
        found = {**_who(place.connection.about), **place.checkup(), **{f"engine {k}": v for k, v in works.items()}}
        return Facts(f"Device {name}", found, advice(found, list(works)))

    def table(self) -> Table:
        """See `Printable`."""
        return table("Devices", ("name", "address"), rows=list(self.addresses.items()))


def _who(about: Mapping[str, Any]) -> dict[str, Any]:
    return {key: about.get(key, "") for key in ("node", "user", "python", "executable", "numpy")}
