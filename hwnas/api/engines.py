"""Exported engines: made of a run, a file or a network; opened, run, and validated again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
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
from hwnas.export import datasheet, parity
from hwnas.export.engine_selection import MAX_DROP, TOLERANCE
from hwnas.export.engines import open_engine, stored_engine
from hwnas.export.exportable import FLOAT
from hwnas.export.item import ExportItem, counted
from hwnas.export.many import export_many
from hwnas.export.pipeline import Request
from hwnas.export.pipeline import export as export_items
from hwnas.export.rebuild import engine_options
from hwnas.export.run_source import RunSource
from hwnas.export.runtime_costs import CostPlan
from hwnas.export.source import Source, item_of_net_config, open_source
from hwnas.export.source_options import SourceOptions
from hwnas.export.validate import validate as validate_folder
from hwnas.export.weights import Wanted, Weights, weighted_item, weights_of
from hwnas.ofa.network_files import ResolvedNetwork
from hwnas.space import Architecture, SearchSpace
from hwnas.space.fixed import ArchitectureLike, SpaceLike
from profilers.base import Options, Session
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
        """Of the one input, such as (batch, channels, height, width); BadInput where there are others."""
        inputs = self.datasheet["inputs"]
        if len(inputs) != 1:
            raise BadInput(f"an engine of {len(inputs)} inputs", 'one; datasheet["inputs"] has all shapes')
        return tuple(next(iter(inputs.values()))["shape"])

    def infer(self, images: Floats | Path | str | Sequence[Path | str]) -> Floats:
        """Logits (n, classes) of images.

        Args:
            images: (n, C, r, r) prepared ones, or image files, which are prepared as the datasheet says.

        Raises:
            BadInput: images of another shape, or a file that is none. EngineUnavailable: it cannot run here.
        """
        values = images if isinstance(images, np.ndarray) else self._prepared(images)
        _, *shape = self.input_shape
        if not values.ndim or list(values.shape[1:]) != shape or not len(values):
            raise BadInput(f"images of shape {values.shape}", f"(n, {', '.join(map(str, shape))})")
        with self._opened() as session:
            return parity.logits_of(session, values)

    def run_on(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Outputs by name for inputs by name: one run of an engine of any inputs and outputs.

        Raises:
            BadInput: other inputs than those of `datasheet["inputs"]`. EngineUnavailable: it cannot run here.
        """
        with self._opened() as session:
            return session.run_on(feeds)

    def _opened(self) -> Session:
        sheet = self.datasheet
        engine, options = stored_engine(sheet["engine"]["name"]), engine_options(sheet["engine"])
        return open_engine(engine, self.folder, options, list(sheet["files"]))

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

        if self.datasheet["preprocessing"] is None:
            raise BadInput("image files for a model that takes no images", "arrays, with run_on")
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
    source: Path | str | bytes | nn.Module,
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
    shapes: Mapping[str, Sequence[int]] | None = None,
    labels: Path | str | None = None,
    preprocessing: str | None = None,
    precision: str | None = None,
    batch: int | str | None = None,
    threads: int = 1,
    target: Sequence[str] = (),
    max_accuracy_drop: float | None = None,
    tolerance: float | None = None,
    calibration: Path | str | None = None,
    compiled: bool | None = None,
    quick: bool = False,
    command: str = "",
) -> Exported:
    """Build engines, check and measure them, and write each with its datasheet.

    Args:
        source: a run's folder; a file: ARCH.json, net.config or NET.safetensors; or any model: MODEL.onnx, what such a
            file holds, a torch module, or "python:module:NAME" of one.
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
        images: pictures for the BatchNorm statistics of a published supernet, or to measure a model's accuracy on; one
            folder a class gives top-1.
        recalibrate: False to keep the statistics of a published supernet.
        tables: latency tables that predict the engine, beside those of a run.
        shapes: of a model's inputs, where it leaves them open; "" is the only one.
        labels: file with a line for each output of a model.
        preprocessing: of a model's images: "imagenet", "none" (values of 0 to 1), or a JSON file.
        precision: what the engine computes in, by default fp32 (int8 of a model that is int8); "auto" tries all.
        batch: images a run; by default 1, on a GPU 64; "dynamic" for any number, measured at 1.
        threads: of the engine.
        target: GPUs to build for, as in "sm86".
        max_accuracy_drop: points of top-1 that "auto" may lose.
        tolerance: the largest relative difference of an output that "auto" may make where no labelled images judge.
        calibration: for int8: a folder of images, or an .npz with an array (n, …) for each input.
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
    asked = partial(
        make_request, engine, precision=precision, batch=batch, threads=threads, target=target,
        max_accuracy_drop=max_accuracy_drop, tolerance=tolerance, calibration=calibration, compiled=compiled,
        quick=quick, command=command,
    )  # fmt: skip
    request = asked()  # checked before anything is opened
    wanted = export_request.weights(_path(supernet), random_weights, dataset, _path(images), recalibrate)
    known = export_request.read_tables(tables, engine, request.options)
    options = SourceOptions(
        ids, front, optimistic, space, pixels(resolutions), classes, wanted, known,
        shapes or {}, _path(labels), preprocessing, export_request.batch_number(batch),
    )  # fmt: skip
    with open_source(source, options) as opened:
        request = asked(opened=opened)
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
    batch: int | str | None = None,
    threads: int = 1,
    target: Sequence[str] = (),
    max_accuracy_drop: float | None = None,
    tolerance: float | None = None,
    calibration: Path | str | None = None,
    compiled: bool | None = None,
    quick: bool = False,
    command: str = "",
    opened: Source | None = None,
) -> Request:
    """What is asked for, checked: see `export`; a source that is open may have a batch or a precision of its own."""
    images, drop = _path(calibration), max_accuracy_drop
    export_request.check_engine(
        engine, precision, max_drop=drop, tolerance=tolerance, compiled=compiled, calibration=images
    )
    number, usual = export_request.batch_number(batch), export_request.usual_batch(engine)
    if number is None:
        number = opened.batch(usual) if opened else usual
    return Request(
        engine,
        Options(threads, precision or (opened.precision if opened else FLOAT), number),
        tuple(target),
        batch == export_request.DYNAMIC,
        MAX_DROP if drop is None else drop,
        TOLERANCE if tolerance is None else tolerance,
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
