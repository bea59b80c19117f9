"""Latency tables as users hold them: with their file, their space, and whatever can be asked of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from rich.table import Table

import lut
from hwnas.api.display import Facts, Printable, facts, table
from hwnas.api.frames import frame
from hwnas.api.measured import MeasuredNetworks
from hwnas.api.network import Network, genes_of
from hwnas.api.networks import Decoded, Networks
from hwnas.api.spaces import Resolutions, space_of
from hwnas.space import SearchSpace, space_of_table
from hwnas.space.many_lines import genes_of_lines, starts_with_a_line
from profilers.base import Options
from profilers.errors import BadInput
from profilers.files import check_writable, write_text

if TYPE_CHECKING:
    import pandas


_BLOCK = 100_000  # networks that are predicted at once


class Predictions(Printable, Sequence[dict[str, Any]]):
    """Milliseconds of n networks with their interval: `ms`, `low`, `high`, each (n,)."""

    def __init__(self, networks: Sequence[Network], estimate: lut.Estimate, how: str = "", rough: bool = False) -> None:
        self.networks = networks
        self.ms, self.low, self.high = (np.asarray(x, float) for x in estimate)
        self.how, self.rough = how, rough

    def __getitem__(self, index: Any) -> Any:
        rows = list(self)
        return rows[index]

    def __len__(self) -> int:
        return len(self.ms)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for ms, low, high in zip(self.ms.tolist(), self.low.tolist(), self.high.tolist(), strict=True):
            yield {"ms": ms, "low": low, "high": high}

    def to_frame(self) -> pandas.DataFrame:
        """A row a network; EngineUnavailable without pandas."""
        return frame([{"id": n.id, **row} for n, row in zip(self.networks, self, strict=True)])

    @property
    def remarks(self) -> Sequence[str]:
        """See `Printable`."""
        return [self.how] if self.how else []

    def table(self) -> Table:
        """See `Printable`."""
        rows = [
            (n.id, f"{row['ms']:.4g}", f"{row['low']:.4g} to {row['high']:.4g}")
            for n, row in zip(self.networks, self, strict=True)
        ]
        return table("Predicted latency", ("id", "ms", "95 % interval"), rows=rows)


class LatencyTable(Printable):
    """A latency table: from a file, built on a device (`Device.build_table`), fitted, estimated or imported.

    Args:
        source: the table's file, or a table of `lut`.
        path: where it lies, for a table of `lut`.
        host: the device on which it is verified, as of `Device`; by default this machine.

    Raises:
        TableError: a damaged table, or one of a space that is not here. FileProblem: the file cannot be read.

    Example:
        >>> import hwnas
        >>> table = hwnas.LatencyTable.estimate("tiny", gpu="GTX 1080 Ti", batch=64)
        >>> found = table.predict(hwnas.Networks.sample("tiny", n=2))
        >>> found.ms.shape, bool((found.ms > 0).all())
        ((2,), True)
        >>> table.status
        'estimated'
    """

    def __init__(
        self, source: Path | str | lut.LatencyTable, path: Path | str | None = None, *, host: str = ""
    ) -> None:
        self.host = host
        if isinstance(source, lut.LatencyTable):
            self.data, self.path = source, None if path is None else Path(path)
        else:
            self.path = Path(source)
            self.data = lut.load(self.path)

    @property
    def space(self) -> SearchSpace:
        """The space that it was made for, at its resolutions."""
        return space_of_table(self.data)

    @property
    def status(self) -> str:
        """How the milliseconds were obtained: measured, fitted, estimated or imported."""
        return self.data.status

    @property
    def device(self) -> str:
        """The device, for people."""
        return self.data.device

    @property
    def options(self) -> Options:
        """How models were run."""
        return self.data.options

    def predict(self, networks: Sequence[Network], *, classes: int | None = None) -> Predictions:
        """The latency of networks with its interval; of a space of another number of classes, too.

        Raises:
            BadInput: networks of another space, or a resolution that the table lacks.
        """
        some = [networks] if isinstance(networks, Network) else list(networks)
        wide = classes if classes is not None else _classes(some)
        space = space_of_table(self.data, wide)
        bound = self.data.bind(space)
        estimate = bound.predict(genes_of(some, space))
        return Predictions(some, estimate, bound.classifier.how, bound.classifier.rough)

    def predict_file(self, path: Path | str, *, classes: int | None = None) -> Predictions:
        """`predict` of a file of networks, one JSON object a line: a million take seconds, and little memory.

        Raises:
            BadInput: which line is wrong and why. FileProblem: the file cannot be read.
        """
        expected = space_of_table(self.data, classes)
        if not starts_with_a_line(Path(path)):  # one object on several lines, or a net.config
            return self.predict(Networks.read(path, classes=classes, expected=expected))
        space, genes = genes_of_lines(Path(path), expected, classes)
        bound = self.data.bind(space)
        parts = [bound.predict(genes[i : i + _BLOCK]) for i in range(0, len(genes), _BLOCK)]
        estimate = lut.Estimate(*map(np.concatenate, zip(*parts, strict=True)))
        return Predictions(Decoded(space, genes), estimate, bound.classifier.how, bound.classifier.rough)

    def verify(
        self, n: int = 100, seed: int = 0, *, classes: int | None = None, force: bool = False, store: bool = True
    ) -> Facts:
        """Measure `n` new random networks end to end on the device (`host`, or this machine) and compare.

        Args:
            n: how many.
            seed: of the networks.
            classes: of the networks, another number than the table's.
            force: measure although the table is of another device or setting.
            store: keep the figures in the table and its file.

        Returns:
            mape, within_5, within_10, kendall_tau, bias, noise_floor_mape, coverage and more; shares are fractions.

        Raises:
            FingerprintMismatch: another device or setting. TableError: a table that was not measured.
        """
        from hwnas.onnx.writer import write_onnx
        from lut.build.bench import Workbench
        from lut.verify import remarks, require_fingerprint, verify
        from profilers.devices.hosts import profiler_at
        from profilers.registry import stored_profiler

        if store and self.path is not None:
            check_writable(self.path, "--no-store")
        runtime = require_fingerprint(self.data).runtime
        profiler = profiler_at(self.host, runtime) if self.host else stored_profiler(runtime)
        workbench = Workbench(space_of_table(self.data, classes), write_onnx, profiler, self.data.options)
        figures = verify(self.data, workbench, archs=n, seed=seed, force=force)
        if store:
            self.data = replace(self.data, verify=figures)
            if self.path is not None:
                lut.save(self.data, self.path)
        return Facts(f"{n} random networks against the table", figures, remarks(figures))

    def save(self, path: Path | str) -> Self:
        """Write it to a file, in one step."""
        lut.save(self.data, Path(path))
        self.path = Path(path)
        return self

    def write(self, format: str, out: Path | str, *, classes: int | None = None) -> list[Path]:
        """Write it in a published format: nsganetv2, ofa (a folder) or proxylessnas; returns the files."""
        from lut.formats import export_table

        return list(export_table(self.data, format, space_of_table(self.data, classes), Path(out)))

    def page(self, path: Path | str, resolution: int | None = None) -> Path:
        """Write one HTML file with all heat maps; `resolution` is the one shown first, by default the largest."""
        from lut.table.page import page

        write_text(Path(path), page(self.data, self.space, self.pixels(resolution)))
        return Path(path)

    def pixels(self, resolution: int | None = None) -> int:
        """A resolution of the table, by default its largest; BadInput for one that it lacks."""
        self.data.bind(self.space)
        found = self.space.resolutions[-1] if resolution is None else resolution
        if found not in self.space.resolutions:
            raise BadInput(f"resolution {found}", ", ".join(map(str, self.space.resolutions)))
        return found

    def facts(self) -> list[tuple[str, str]]:
        """(name, value): identity, provenance, figures of the last verification, layers whose times look wrong."""
        from lut.table.show import facts, suspicious

        self.data.bind(self.space)
        wrong = [("suspicious", f"{big} is faster than {small}") for small, big in suspicious(self.data, self.space)]
        return [*facts(self.data), *wrong]

    def heat_map(self, resolution: int | None = None) -> list[str]:
        """The layers of one resolution by slot and choice, as lines of text."""
        from lut.table.show import draw, heat

        return list(draw(heat(self.data, self.space, self.pixels(resolution))))

    def table(self) -> Table:
        """See `Printable`."""
        return facts(f"Latency table {self.path or ''}".strip(), self.facts())

    @property
    def remarks(self) -> Sequence[str]:
        """What a user should know before relying on it."""
        return self.data.remarks

    @classmethod
    def estimate(
        cls,
        space: str | SearchSpace,
        gpu: str = "GTX 1080 Ti",
        batch: int = 64,
        *,
        resolutions: Resolutions = None,
        classes: int | None = None,
        measured: MeasuredNetworks | None = None,
    ) -> LatencyTable:
        """Of a GPU's data sheet: good for ranking; milliseconds need one network or more measured on it.

        Raises:
            BadInput: an unknown card.
        """
        from lut.estimate.roofline import estimate, scaled

        chosen = space_of(space, resolutions, classes)
        if measured is None:
            return cls(estimate(chosen, gpu, batch))
        return cls(scaled(estimate(chosen, gpu, batch), measured.space, measured.archs, measured.latencies))

    @classmethod
    def fit(cls, measured: MeasuredNetworks, device: str, batch: int = 64) -> LatencyTable:
        """Of 10 to 50 networks measured end to end on a device without per-layer times.

        Raises:
            BadInput: too few networks, or networks measured in different ways.
        """
        from lut.estimate.few_shot import fit

        m = measured
        return cls(fit(m.space, m.archs, m.latencies, batch, device, m.state, m.estimator))

    @classmethod
    def import_published(
        cls,
        format: str,
        files: Sequence[Path | str],
        space: str | SearchSpace,
        device: str = "",
        *,
        resolutions: Resolutions = None,
        classes: int | None = None,
    ) -> LatencyTable:
        """Of published files: nsganetv2, ofa or proxylessnas.

        Raises:
            TableError: a file of another format, or layers of the space that no file has.
        """
        from lut.formats import import_table

        chosen = space_of(space, resolutions, classes)
        return cls(import_table(format, chosen, [Path(file) for file in files], device))


def _classes(networks: Sequence[Network]) -> int | None:
    """The number of classes that networks agree on; BadInput where they do not."""
    found = {network.space.classes for network in networks}
    if len(found) > 1:
        got = f"networks of {' and '.join(map(str, sorted(found)))} classes"
        raise BadInput(got, "one number of classes a call")
    return next(iter(found), None)
