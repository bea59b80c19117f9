"""Exported engines: made of a run, a file or a network; opened, run, and validated again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

import lut
from hwnas.api import export_request
from hwnas.api.display import Facts, Printable, table
from hwnas.api.engine_tables import changes_table, engines_table, export_row
from hwnas.api.export_request import Tables
from hwnas.api.spaces import Resolutions, pixels
from hwnas.data.reference import resolve_reference
from hwnas.export import datasheet
from hwnas.export.engine_selection import MAX_DROP
from hwnas.export.engines import open_engine, stored_engine
from hwnas.export.item import ExportItem, counted
from hwnas.export.many import export_many
from hwnas.export.pipeline import Request
from hwnas.export.pipeline import export as export_items
from hwnas.export.rebuild import engine_options
from hwnas.export.run_source import RunSource
from hwnas.export.runtime_costs import CostPlan
from hwnas.export.source import item_of_net_config, open_source
from hwnas.export.source_options import SourceOptions
from hwnas.export.validate import validate as validate_folder
from hwnas.export.weights import Wanted, Weights, weighted_item, weights_of
from hwnas.ofa.network_files import ResolvedNetwork
from hwnas.space import Architecture, SearchSpace
from hwnas.space.fixed import ArchitectureLike, SpaceLike
from profilers.base import Options
from profilers.errors import BadInput

if TYPE_CHECKING:
    from torch import nn

Floats = NDArray[np.float32]


class Engine(Printable):
    """An exported folder: an engine, its datasheet, a script that runs it.

    Args:
        folder: as `export` wrote it.

    Raises:
        BadInput: no datasheet, an edited one, or a file that is not the one of its hash.

    Example:
        >>> import hwnas
        >>> network = hwnas.Networks.sample("tiny", n=1)[0]
        >>> engine = network.export("onnx", out="engines/doc", random_weights=True, quick=True)
        >>> hwnas.Engine("engines/doc").measured_ms == engine.measured_ms
        True
        >>> import numpy as np
        >>> engine.infer(np.zeros((2, *engine.input_shape[1:]), "float32")).shape
        (2, 10)
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.datasheet: dict[str, Any] = datasheet.read(self.folder)

    @property
    def name(self) -> str:
        """Of the network."""
        return str(self.datasheet["name"])

    @property
    def predicted_ms(self) -> float | None:
        """Milliseconds by the latency table made for such an engine; None where there is none."""
        return self._latency("predicted")

    @property
    def measured_ms(self) -> float | None:
        """Milliseconds as measured when it was exported; None where it could not run there."""
        return self._latency("measured")

    @property
    def top1(self) -> float | None:
        """Accuracy of this engine in percent; None where none was measured (`datasheet["accuracy"]` says why)."""
        value = self.datasheet["accuracy"]["top1"]["value"]
        return None if value is None else float(value)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """(batch, channels, height, width) of the images."""
        how = self.datasheet["preprocessing"]
        return int(self.datasheet["engine"]["batch"]), how["channels"], how["size"], how["size"]

    def infer(self, images: Floats | Path | str | Sequence[Path | str]) -> Floats:
        """Logits (n, classes) of images.

        Args:
            images: (n, C, r, r) prepared ones, or image files, which are prepared as the datasheet says.

        Raises:
            BadInput: images of another shape, or a file that is none. EngineUnavailable: it cannot run here.
        """
        values = images if isinstance(images, np.ndarray) else self._prepared(images)
        batch, *shape = self.input_shape
        if values.ndim != 4 or list(values.shape[1:]) != shape or not len(values):
            raise BadInput(f"images of shape {values.shape}", f"(n, {', '.join(map(str, shape))})")
        sheet = self.datasheet
        engine, options = stored_engine(sheet["engine"]["name"]), engine_options(sheet["engine"])
        padded = np.concatenate([values, np.repeat(values[-1:], -len(values) % batch, 0)]).astype(np.float32)
        with open_engine(engine, self.folder, options, list(sheet["files"])) as session:
            found = [session.infer(padded[i : i + batch]) for i in range(0, len(padded), batch)]
        return np.concatenate(found)[: len(values)]

    def validate(self, *, force: bool = False, rebuild: bool = False, quick: bool = False) -> Validation:
        """Measure it again on this machine and compare with the datasheet, as `hwnas.validate`."""
        return validate(self.folder, force=force, rebuild=rebuild, quick=quick)

    def row(self) -> dict[str, Any]:
        """What a program wants to know, as `hwnas export` prints it."""
        return {"folder": str(self.folder), **export_row(self.datasheet)}

    @property
    def remarks(self) -> Sequence[str]:
        """What it is not good for."""
        return list(self.datasheet["warnings"])

    def table(self) -> Table:
        """See `Printable`."""
        return engines_table({self.name: self.datasheet})

    def _latency(self, what: str) -> float | None:
        value = self.datasheet["latency"][what]["value"]
        return None if value is None else float(value)

    def _prepared(self, images: Path | str | Sequence[Path | str]) -> Floats:
        from hwnas.data.picture import Damaged, prepare

        found = []
        for path in [images] if isinstance(images, str | Path) else images:
            try:
                found.append(prepare(path, self.datasheet["preprocessing"]))
            except (Damaged, OSError) as error:
                raise BadInput(f"{path}: {error}", "an image file") from error
        return np.concatenate(found) if found else np.zeros((0, *self.input_shape[1:]), np.float32)


class Exported(Printable, Sequence[Engine]):
    """The engines that a call of `export` has made, in order.

    `kept` are ids that were there already, `failed` gives an error by id, `notes` what is to be said of the choice,
    `about` what was read.
    """

    def __init__(
        self,
        engines: Sequence[Engine],
        notes: Sequence[str] = (),
        about: str = "",
        kept: Sequence[str] = (),
        failed: Mapping[str, str] | None = None,
    ) -> None:
        self._engines, self.notes, self.about = list(engines), list(notes), about
        self.kept, self.failed = list(kept), dict(failed or {})

    @overload
    def __getitem__(self, index: int) -> Engine: ...
    @overload
    def __getitem__(self, index: slice) -> list[Engine]: ...
    def __getitem__(self, index: int | slice) -> Engine | list[Engine]:
        return self._engines[index]

    def __len__(self) -> int:
        return len(self._engines)

    def __iter__(self) -> Iterator[Engine]:
        return iter(self._engines)

    @property
    def remarks(self) -> Sequence[str]:
        """See `Printable`."""
        return [*self.notes, *(f"{key}: {error}" for key, error in self.failed.items())]

    def table(self) -> Table:
        """See `Printable`."""
        sheets = {engine.name: engine.datasheet for engine in self}
        return engines_table(sheets) if sheets else table("Exported engines", ("none",))


def export(
    source: Path | str,
    out: Path | str,
    *,
    engine: str = "onnxruntime",
    ids: Sequence[str] = (),
    front: bool = False,
    optimistic: bool = False,
    space: str | None = None,
    resolutions: Resolutions = None,
    classes: int | None = None,
    supernet: Path | str | None = None,
    random_weights: bool = False,
    dataset: str | None = None,
    images: Path | str | None = None,
    recalibrate: bool = True,
    tables: Tables = (),
    precision: str | None = None,
    batch: int | None = None,
    threads: int = 1,
    target: Sequence[str] = (),
    max_accuracy_drop: float | None = None,
    calibration: Path | str | None = None,
    compiled: bool | None = None,
    quick: bool = False,
    command: str = "",
) -> Exported:
    """Build engines, check and measure them, and write each with its datasheet.

    Args:
        source: a run's folder; or a file: ARCH.json, net.config or NET.safetensors.
        out: folder to write; several networks get a folder each in it.
        engine: a format of `hwnas.engines()`, "onnx", or "auto" for the fastest of all.
        ids: networks of the run; by default those that `Run.select` offers.
        front: the whole front of the run; what is there already is kept, and what fails does not stop the others.
        optimistic: judge latency by the point prediction, not by its interval.
        space: of an ARCH.json that does not name it.
        resolutions: as of `Network`.
        classes: as of `Network`.
        supernet: to inherit weights from; by default the run's own.
        random_weights: untrained, to measure latency only.
        dataset: for BatchNorm's statistics, as in "imagenet:DIR".
        images: pictures for the BatchNorm statistics of a published supernet; one folder a class gives top-1.
        recalibrate: False to keep the statistics of a published supernet.
        tables: latency tables that predict the engine, beside those of a run.
        precision: what the engine computes in, by default fp32; "auto" tries all.
        batch: images a run; by default 1, on a GPU 64.
        threads: of the engine.
        target: GPUs to build for, as in "sm86".
        max_accuracy_drop: points of top-1 that "auto" may lose.
        calibration: images for int8: a folder, or an .npz.
        compiled: with "auto", whether torch.compile is timed too (the default).
        quick: leave out throughput, memory and cold start.
        command: the command line that is kept in the datasheet.

    Raises:
        BadInput: an option that would change nothing, no weights, another file. EngineUnavailable: it cannot be built.

    Example:
        >>> import hwnas
        >>> networks = hwnas.Networks.sample("tiny", n=1)
        >>> path = networks.save("arch.jsonl")
        >>> (engine,) = hwnas.export(path, "engines/doc-file", engine="onnx", random_weights=True, quick=True)
        >>> engine.folder.name, engine.top1
        ('doc-file', None)
    """
    request = make_request(
        engine, precision=precision, batch=batch, threads=threads, target=target, max_accuracy_drop=max_accuracy_drop,
        calibration=calibration, compiled=compiled, quick=quick, command=command,
    )  # fmt: skip
    wanted = export_request.weights(_path(supernet), random_weights, dataset, _path(images), recalibrate)
    known = export_request.read_tables(tables, engine, request.options)
    options = SourceOptions(ids, front, optimistic, space, pixels(resolutions), classes, wanted, known)
    with open_source(Path(source), options) as opened:
        if front:
            found = export_many(opened.ids, opened.item, replace(request, weights=opened.weights), Path(out))
            engines = [Engine(Path(out) / key) for key in found.done]
            return Exported(engines, opened.notes, opened.about, found.kept, found.failed)
        sheets = export_items({key: opened.item(key) for key in opened.ids}, request, Path(out))
        return Exported([Engine(Path(out) / key) for key in sheets], opened.notes, opened.about)


def export_network(
    space: SpaceLike,
    arch: ArchitectureLike,
    run: Path | None,
    engine: str,
    out: Path,
    *,
    weights: nn.Module | None = None,
    random_weights: bool = False,
    supernet: Path | str | None = None,
    dataset: str | None = None,
    images: Path | str | None = None,
    recalibrate: bool = True,
    tables: Tables = (),
    **options: Any,
) -> Engine:
    """Export one network to the folder `out`: of a space, or of the run in a folder; the rest as of `export`.

    `weights` is a module of `network.torch()` that was trained; `dataset` then gives the engine's accuracy.

    Raises:
        BadInput: no weights, or those of another network.
    """
    request = make_request(engine, **options)
    known = export_request.read_tables(tables, engine, request.options)
    if weights is not None:
        if random_weights or supernet is not None:
            raise BadInput("weights= beside random_weights= or supernet=", "one of them")
        item = _trained(space, arch, weights, dataset, known)
    else:
        wanted = export_request.weights(_path(supernet), random_weights, dataset, _path(images), recalibrate)
        item = _item(space, arch, run, wanted, known)
    export_items({"": item}, request, out)
    return Engine(out)


def make_request(
    engine: str,
    *,
    precision: str | None = None,
    batch: int | None = None,
    threads: int = 1,
    target: Sequence[str] = (),
    max_accuracy_drop: float | None = None,
    calibration: Path | str | None = None,
    compiled: bool | None = None,
    quick: bool = False,
    command: str = "",
) -> Request:
    """What is asked for, checked: see `export`."""
    images = _path(calibration)
    drop = max_accuracy_drop
    export_request.check_engine(engine, precision, max_drop=drop, compiled=compiled, calibration=images)
    return Request(
        engine,
        Options(threads, precision or "fp32", export_request.batch_of(engine, batch)),
        tuple(target),
        MAX_DROP if drop is None else drop,
        images,
        ("eager",) if compiled is False else ("eager", "compiled"),
        costs=CostPlan.QUICK if quick else CostPlan.FULL,
        command=command,
    )


def _item(
    space: SpaceLike, arch: ArchitectureLike, run: Path | None, wanted: Wanted, tables: Sequence[lut.LatencyTable]
) -> ExportItem:
    """Of a run with what is known there, or of a space; with the weights that are wanted."""
    if run is not None:
        with RunSource(run, [arch.id], wanted=wanted, tables=tables) as source:
            return source.item(arch.id)
    if isinstance(space, SearchSpace) and isinstance(arch, Architecture):
        found = weights_of(wanted, space, arch, f"network {arch.id} has no weights")
        return weighted_item(space, arch, found, counted(space, arch), tables)
    resolved = ResolvedNetwork(space, arch, space.layers(arch))
    return item_of_net_config(Path(f"network {arch.id}"), resolved, wanted, tables)


def _trained(
    space: SpaceLike,
    arch: ArchitectureLike,
    module: nn.Module,
    dataset: str | None,
    tables: Sequence[lut.LatencyTable],
) -> ExportItem:
    """With the weights of a module that the program has trained."""
    from hwnas.data import get_dataset
    from hwnas.nets import Network as TorchNetwork

    if not isinstance(space, SearchSpace) or not isinstance(arch, Architecture):
        raise BadInput("weights= for a network of no space", "a network of a search space")
    if not isinstance(module, TorchNetwork) or module.specs != space.layers(arch):
        raise BadInput(f"weights= of a {type(module).__name__}", f"a trained module of torch() of network {arch.id}")
    data = get_dataset(resolve_reference(dataset, Path())).with_channels(space.in_channels) if dataset else None
    weights = Weights(module.cpu().eval(), "given by the program that exported it", data)
    return weighted_item(space, arch, weights, counted(space, arch), tables)


def validate(folder: Path | str, *, force: bool = False, rebuild: bool = False, quick: bool = False) -> Validation:
    """Measure an exported engine again, on this machine, and compare it with its datasheet.

    Args:
        folder: an exported one.
        force: measure although this is another device or setting.
        rebuild: first build the engine again for this machine.
        quick: leave out throughput, memory, cold start and the interrupted state.

    Raises:
        FingerprintMismatch: another device or setting, without `force`. BadInput: an edited or damaged folder.

    Example:
        >>> import hwnas
        >>> network = hwnas.Networks.sample("tiny", n=1)[0]
        >>> engine = network.export("onnx", out="engines/doc-valid", random_weights=True, quick=True)
        >>> hwnas.validate("engines/doc-valid", quick=True)["top1_agreement"]
        1.0
    """
    costs = CostPlan.QUICK if quick else CostPlan.FULL
    return Validation(validate_folder(Path(folder), force=force, anew=rebuild, costs=costs))


class Validation(Facts):
    """What `validate` found, by name; shown as the changes against the datasheet."""

    def __init__(self, found: Mapping[str, Any]) -> None:
        super().__init__("The datasheet and this machine, now", found, [f"differs: {x}" for x in found["differences"]])

    def table(self) -> Table:
        """See `Printable`."""
        return changes_table(self)


def _path(value: Path | str | None) -> Path | None:
    return None if value is None else Path(value)
