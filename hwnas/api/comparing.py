"""The networks of a run beside known ones, all measured on this device."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from rich.table import Table

from hwnas.api.devices import Device
from hwnas.api.display import Printable, table
from hwnas.compare import elsewhere, known, render
from hwnas.compare import trained as trained_networks
from hwnas.compare.chosen import chosen_networks
from hwnas.compare.measure import Comparison, measure, of_known
from hwnas.export.run_source import RunSource
from profilers.errors import BadInput
from profilers.files import check_writable

FOLDER = "known"  # of a run


class HasFolder(Protocol):
    """A run, as `hwnas.Run`."""

    @property
    def folder(self) -> Path:
        """Where it lies."""


class Compared(Printable):
    """Networks fastest first, with what was measured, counted or stated of each; written to `folder`."""

    def __init__(self, comparison: Comparison, folder: Path, notes: Sequence[str]) -> None:
        self.comparison, self.folder, self.notes = comparison, folder, list(notes)

    def to_json(self) -> dict[str, Any]:
        """All rows, the fingerprint, and the agreement with the paper's device."""
        return self.comparison.to_json()

    def __str__(self) -> str:
        return render.text(self.comparison)

    __repr__ = __str__

    def table(self) -> Table:
        """See `Printable`."""
        return table("Networks on this device", render.HEADER, rows=render.lines(self.comparison))

    @property
    def remarks(self) -> Sequence[str]:
        """See `Printable`."""
        return render.notes(self.comparison)


def compare(
    run: HasFolder | Path | str,
    models: Sequence[str] = (),
    *,
    ids: Sequence[str] = (),
    device: Device | str = "",
    size: int | None = 224,
    weights: Path | str | None = None,
    optimistic: bool = False,
    out: Path | str | None = None,
) -> Compared:
    """Measure the chosen networks of a run beside known ones: the paper's Table 3 for this device.

    Args:
        run: a run, or its folder.
        models: names of torchvision's, or of timm's where it is installed, and MODEL.onnx or python:module:NAME of any
            other model; by default a usual set.
        ids: networks of the run; by default those that `Run.select` offers.
        device: the runtime, its settings and where it is; by default ONNX Runtime on one thread, on this machine or
            the one that is named, as in "ssh://me@board".
        size: of the known networks' images, px; None for that of their training.
        weights: folder of a fine-tuning: its networks are shown with their accuracy on its images, the known ones in it
            as they were trained, and by default no others.
        optimistic: judge latency by the point prediction, not by its interval.
        out: folder for the text, CSV, JSON and figure; by default `known` in the run, whose report shows the newest one
            that was written elsewhere, too.

    Raises:
        BadInput: an unknown network (the nearest known one is said), or a precision that cannot be compared.

    Example:
        >>> import hwnas
        >>> run = hwnas.search("tiny", lambda arch: 90.0 + arch["r"] / 10, objectives=["top1", "params"],
        ...                    initial=6, iterations=0, out="runs/doc-compare")
        >>> found = hwnas.compare(run, ["squeezenet1_1"], ids=[run.networks[0].id], size=64)
        >>> sorted(row["source"] for row in found.to_json()["networks"])
        ['this search', 'torchvision']
    """
    folder = Path(run) if isinstance(run, str | Path) else run.folder
    chosen = Device(host=device) if isinstance(device, str) else device
    if size is not None and size < 1:
        raise BadInput(f"size = {size}", "pixels, or None for each network's own")
    target = folder / FOLDER if out is None else Path(out)
    check_writable(target / "compare.json", "--out DIR")
    with RunSource(folder, list(ids) or None, optimistic=optimistic, host=chosen.host) as source:
        notes = source.notes
        networks = chosen_networks(source, chosen.engine, chosen.options)
    tuned = Path(weights) if weights is not None else None
    trained = trained_networks.known_names(tuned) if tuned else ()
    if tuned:
        networks = [(trained_networks.own_row(tuned, row), model) for row, model in networks]
        networks += [trained_networks.known_row(tuned, name, chosen.batch) for name in trained]
    others = models or (() if tuned else known.usual())
    networks += [of_known(known.make(name, size, chosen.batch)) for name in others if name not in trained]
    found = measure(networks, chosen.profiler, chosen.options)
    render.write(found, target)
    elsewhere.note(folder, target)
    return Compared(found, target, notes)
