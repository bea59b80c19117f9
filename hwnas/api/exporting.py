"""Exporting: engines made of a run, a file, any model or one network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lut
from hwnas.api import export_request
from hwnas.api.engines import Engine, Exported
from hwnas.api.export_request import Tables
from hwnas.api.spaces import Resolutions, pixels
from hwnas.api.where import Where, settings_of
from hwnas.data.reference import resolve_reference
from hwnas.export import elsewhere
from hwnas.export.engine_selection import MAX_DROP, TOLERANCE
from hwnas.export.exportable import FLOAT, Exportable
from hwnas.export.item import ExportItem, counted
from hwnas.export.many import export_many
from hwnas.export.pipeline import Request
from hwnas.export.pipeline import export as export_items
from hwnas.export.present import due
from hwnas.export.run_source import RunSource
from hwnas.export.runtime_costs import CostPlan
from hwnas.export.source import Source, item_of_net_config, open_source
from hwnas.export.source_options import SourceOptions
from hwnas.export.weights import Wanted, Weights, weighted_item, weights_of
from hwnas.ofa.network_files import ResolvedNetwork
from hwnas.space import Architecture, SearchSpace
from hwnas.space.fixed import ArchitectureLike, SpaceLike
from profilers.base import Options
from profilers.errors import BadInput
from profilers.files import sha256
from profilers.locks import alone

if TYPE_CHECKING:
    from torch import nn

EXPORTING = "is exporting to"


def export(
    source: Path | str | bytes | nn.Module,
    out: Path | str,
    *,
    engine: str | None = None,
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
    inputs: Any = None,
    labels: Path | str | None = None,
    preprocessing: str | None = None,
    precision: str | None = None,
    batch: int | str | None = None,
    threads: int | None = None,
    device: Where = "",
    target: Sequence[str] = (),
    max_accuracy_drop: float | None = None,
    tolerance: float | None = None,
    calibration: Path | str | None = None,
    compiled: bool | None = None,
    also: Sequence[str] = (),
    quick: bool = False,
    command: str = "",
    resume: bool = True,
    fresh: bool = False,
) -> Exported:
    """Build engines, check and measure them, and write each with its datasheet.

    Args:
        source: a run's folder; a file: ARCH.json, net.config or NET.safetensors; or any model: MODEL.onnx, what such a
            file holds, a torch module, or "python:module:NAME" of one.
        out: folder to write; several networks get a folder each in it.
        engine: a format of `hwnas.engines()`, "onnx", or "auto" for the fastest of all; by default the device's, or
            "onnxruntime".
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
        inputs: example inputs of a torch module, instead of shapes: a tensor, a sequence, or a mapping.
        labels: file with a line for each output of a model.
        preprocessing: of a model's images: "imagenet", "none" (values of 0 to 1), or a JSON file.
        precision: what the engine computes in, by default fp32 (int8 of a model that is int8); "auto" tries all.
        batch: images a run; by default 1, on a GPU 64; "dynamic" for any number, measured at 1.
        threads: of the engine.
        device: where it is compiled, checked and measured: a machine as in "ssh://me@board", or a `Device`, whose
            settings count where no others are given; by default this machine.
        target: GPUs to build for, as in "sm86".
        max_accuracy_drop: points of top-1 that "auto" may lose.
        tolerance: the largest relative difference of an output that "auto" may make where no labelled images judge.
        calibration: for int8: a folder of images, or an .npz with an array (n, …) for each input.
        compiled: with "auto", whether torch.compile is timed, too; that takes up to minutes.
        also: with "auto", engines that are left out else, since compiling them takes minutes: "torch", "torch-cuda".
        quick: leave out throughput, memory and cold start.
        command: the command line that is kept in the datasheet.
        resume: False to refuse engines that are there; else those of the same network and request are kept.
        fresh: export anew, in place of engines that are there.

    Raises:
        BadInput: an option that would change nothing, no weights, another file, another engine in `out`.
        EngineUnavailable: it cannot be built.

    Example:
        >>> import hwnas
        >>> networks = hwnas.Networks.sample("tiny", n=1)
        >>> path = networks.save("arch.jsonl")
        >>> (engine,) = hwnas.export(path, "engines/doc-file", engine="onnx", random_weights=True, quick=True)
        >>> engine.folder.name, engine.top1
        ('doc-file', None)
    """
    asked = partial(
        make_request, engine, precision=precision, batch=batch, threads=threads, device=device, target=target,
        max_accuracy_drop=max_accuracy_drop, tolerance=tolerance, calibration=calibration, compiled=compiled,
        also=also, quick=quick, command=command,
    )  # fmt: skip
    request = asked()  # checked before anything is opened
    wanted = export_request.weights(_path(supernet), random_weights, dataset, _path(images), recalibrate)
    known = export_request.read_tables(tables, request.engine, request.options)
    options = SourceOptions(
        ids, front, optimistic, space, pixels(resolutions), classes, wanted, known,
        shapes or {}, _path(labels), preprocessing, export_request.batch_number(batch),
        inputs, request.host,
    )  # fmt: skip
    make = _made_front if front else _made
    with open_source(source, options) as opened:
        made = make(opened, asked(opened=opened), Path(out), resume, fresh)
        elsewhere.note(source, [engine.folder for engine in made])
    return made


def _made_front(opened: Source, request: Request, out: Path, resume: bool, fresh: bool) -> Exported:
    """All that the source offers; what fails does not stop the others."""
    with alone(out, EXPORTING):
        asked_for = replace(request, weights=opened.weights)
        found = export_many(opened.ids, opened.item, asked_for, out, resume=resume, fresh=fresh)
    return Exported([Engine(out / key) for key in found.done], opened.notes, opened.about, found.kept, found.failed)


def _made(opened: Source, request: Request, out: Path, resume: bool, fresh: bool) -> Exported:
    """All that the source offers, or none."""
    items = {key: opened.item(key) for key in opened.ids}
    _export_due(items, request, out, resume, fresh)
    return Exported([Engine(out / key) for key in items], opened.notes, opened.about)


def _export_due(items: Mapping[str, Exportable], request: Request, out: Path, resume: bool, fresh: bool) -> None:
    """Those that are not there yet."""
    with alone(out, EXPORTING):
        if left := due(items, request, out, resume=resume, fresh=fresh):
            export_items(left, request, out)


def export_network(
    space: SpaceLike,
    arch: ArchitectureLike,
    run: Path | None,
    engine: str | None,
    out: Path,
    *,
    weights: nn.Module | None = None,
    random_weights: bool = False,
    supernet: Path | str | None = None,
    dataset: str | None = None,
    images: Path | str | None = None,
    recalibrate: bool = True,
    tables: Tables = (),
    resume: bool = True,
    fresh: bool = False,
    **options: Any,
) -> Engine:
    """Export one network to the folder `out`: of a space, or of the run in a folder; the rest as of `export`.

    `weights` is a module of `network.torch()` that was trained; `dataset` then gives the engine's accuracy.

    Raises:
        BadInput: no weights, or those of another network.
    """
    request = make_request(engine, **options)
    known = export_request.read_tables(tables, request.engine, request.options)
    if weights is not None:
        if random_weights or supernet is not None:
            raise BadInput("weights= beside random_weights= or supernet=", "one of them")
        item = _trained(space, arch, weights, dataset, known)
    else:
        wanted = export_request.weights(_path(supernet), random_weights, dataset, _path(images), recalibrate)
        item = _item(space, arch, run, wanted, known)
    _export_due({"": item}, request, out, resume, fresh)
    elsewhere.note(run, [out])
    return Engine(out)


def make_request(
    engine: str | None,
    *,
    precision: str | None = None,
    batch: int | str | None = None,
    threads: int | None = None,
    device: Where = "",
    target: Sequence[str] = (),
    max_accuracy_drop: float | None = None,
    tolerance: float | None = None,
    calibration: Path | str | None = None,
    compiled: bool | None = None,
    also: Sequence[str] = (),
    quick: bool = False,
    command: str = "",
    opened: Source | None = None,
) -> Request:
    """What is asked for, checked: see `export`; a source that is open may have a batch or a precision of its own."""
    engine, precision, batch, threads = settings_of(device, engine, precision, batch, threads)
    images, drop = _path(calibration), max_accuracy_drop
    export_request.check_engine(
        engine, precision, max_drop=drop, tolerance=tolerance, compiled=compiled, also=also, calibration=images
    )
    number, usual = export_request.batch_number(batch), export_request.usual_batch(engine)
    if number is None:
        number = opened.batch(usual) if opened else usual
    options = Options(threads, precision or (opened.precision if opened else FLOAT), number)
    return Request(
        engine,
        export_request.engine_options(engine, options),
        tuple(target),
        tuple(also),
        batch == export_request.DYNAMIC,
        MAX_DROP if drop is None else drop,
        TOLERANCE if tolerance is None else tolerance,
        images,
        ("eager", "compiled") if compiled else ("eager",),
        costs=CostPlan.QUICK if quick else CostPlan.FULL,
        command=command,
        host=export_request.checked_host(device, engine, options),
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
    """With the weights of a module that the program has trained, and may go on to train: a copy is exported."""
    from hwnas.data import get_dataset
    from hwnas.nets import Network as TorchNetwork

    if not isinstance(space, SearchSpace) or not isinstance(arch, Architecture):
        raise BadInput("weights= for a network of no space", "a network of a search space")
    if not isinstance(module, TorchNetwork) or module.specs != space.layers(arch):
        raise BadInput(f"weights= of a {type(module).__name__}", f"a trained module of torch() of network {arch.id}")
    data = get_dataset(resolve_reference(dataset, Path())).with_channels(space.in_channels) if dataset else None
    copied = deepcopy(module).cpu().eval()
    tensors = b"".join(value.numpy().tobytes() for value in copied.state_dict().values())
    text = f"given by the program that exported it (SHA-256 {sha256(tensors)[:16]})"
    weights = Weights(copied, text, data)
    return weighted_item(space, arch, weights, counted(space, arch), tables)


def _path(value: Path | str | None) -> Path | None:
    return None if value is None else Path(value)
