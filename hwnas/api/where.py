"""Where something is compiled or measured: a device with its settings, or only the machine by its name or address."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from profilers.devices.hosts import place_at


class HasSettings(Protocol):
    """A runtime somewhere and how it runs networks, as `hwnas.Device`."""

    @property
    def engine(self) -> str:
        """The runtime."""

    @property
    def threads(self) -> int:
        """Of the runtime."""

    @property
    def precision(self) -> str:
        """What it computes in."""

    @property
    def batch(self) -> int:
        """Images a run."""

    @property
    def host(self) -> str:
        """The machine; "" for this one."""


Where = HasSettings | str


class Settings(NamedTuple):
    """How an engine runs; None where nothing was said."""

    engine: str
    precision: str | None
    batch: int | str | None
    threads: int


def host_of(device: Where) -> str:
    """The machine; "" for this one. BadInput for one that is no name of a device and no address."""
    host = device if isinstance(device, str) else device.host
    if host:
        place_at(host)
    return host


def settings_of(
    device: Where, engine: str | None, precision: str | None, batch: int | str | None, threads: int | None
) -> Settings:
    """What is said, and for the rest the device's, if it is more than a machine; "auto" tries all precisions."""
    if isinstance(device, str):
        return Settings(engine or "onnxruntime", precision, batch, 1 if threads is None else threads)
    from hwnas.export.pipeline import AUTO

    own = device.precision if (engine or device.engine) != AUTO else None
    return Settings(
        engine or device.engine,
        precision or own,
        device.batch if batch is None else batch,
        device.threads if threads is None else threads,
    )
