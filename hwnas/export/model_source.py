"""A model made elsewhere as a source of `hwnas export`: MODEL.onnx, or python:module:NAME of a torch module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwnas.compare.count import constants, madds, params
from hwnas.export import image_input
from hwnas.export.datasheet_schema import RANDOM
from hwnas.export.exportable import FLOAT
from hwnas.export.image_input import ImageAxes
from hwnas.export.labelled import LabelledFolder
from hwnas.export.model_batches import FileBatches, ModelBatches, ModuleBatches
from hwnas.export.model_item import ModelItem
from hwnas.export.quantity import Quantity
from hwnas.export.single_source import SingleSource
from hwnas.onnx.open_model import OpenedModel, open_model
from profilers.errors import BadInput
from profilers.files import sha256
from profilers.onnx.model import read_model
from profilers.plugins import PREFIX

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class ModelOptions:
    """What a user says of a model.

    shapes         of inputs that leave them open ("" for the only one)
    inputs         example inputs of a torch module, instead of shapes
    images         labelled images to measure its accuracy on: a folder a class
    labels         file of a line for each output
    preprocessing  how its images are prepared (see `image_input.preparation`)
    """

    shapes: Mapping[str, Sequence[int]] = field(default_factory=dict)
    images: Path | None = None
    labels: Path | None = None
    preprocessing: str | None = None
    inputs: Any = None


class ModelSource(SingleSource[ModelItem]):
    """The one model."""

    @property
    def precision(self) -> str:
        """See `Source`: int8 of a model that is quantised."""
        return "int8" if self.made.is_quantised else FLOAT

    def batch(self, usual: int) -> int:
        """See `Source`: the model's own, where it has no other."""
        own = self.made.opened.model.batch
        if usual == own or own != 1:
            return own
        try:
            self.made.batches.of(usual)
        except BadInput:
            return own
        return usual


def is_model(source: str | Path) -> bool:
    """Whether a source of `hwnas export` is a model made elsewhere, by its name."""
    return str(source).startswith(PREFIX) or Path(source).suffix.lower() == ".onnx"


def open_model_source(
    source: str | Path | bytes | nn.Module, options: ModelOptions, batch: int | None = None
) -> ModelSource:
    """Open a model.

    Args:
        source: a path, "python:module:NAME", what an ONNX file holds, or a torch module.
        options: what the user says of it.
        batch: what its dynamic first dimensions become, by default 1.

    Raises:
        BadInput, FileProblem: as `open_model`; options that do not fit the model.
    """
    if isinstance(source, Path):
        source = str(source)  # of the command line, which does not tell a path from other texts
    opened = open_model(source, options.shapes, batch, inputs=options.inputs)
    batches: ModelBatches
    if opened.module is not None:
        batches, digest = ModuleBatches(opened, opened.module), sha256(opened.model.data)
    else:
        whole = read_model(source if isinstance(source, bytes) else Path(str(source)))
        batches, digest = FileBatches(whole, opened, options.shapes), sha256(whole.data)
    text = source if isinstance(source, str) else opened.name
    return ModelSource(_item(text, opened, batches, digest, options), f"{text}: {opened.about}")


def _item(source: str, opened: OpenedModel, batches: ModelBatches, digest: str, options: ModelOptions) -> ModelItem:
    shown = source if source.startswith(PREFIX) else Path(source).name
    weights = f"{shown} (SHA-256 {digest[:16]}), {opened.about}"
    warnings = (RANDOM,) if opened.untrained else ()
    plain = ModelItem(opened, batches, shown, digest, weights, _counts(opened), None, None, "", warnings)
    axes, reason = image_input.image_axes(opened.model)
    if axes is not None:
        return _classifier(plain, axes, options)
    _refuse(options, reason)
    return replace(plain, lacking=reason)


def _classifier(plain: ModelItem, axes: ImageAxes, options: ModelOptions) -> ModelItem:
    """With how its images are prepared, what its outputs are, and the images that it is tested on."""
    section, warning = _preprocessing(plain, axes, options)
    tested = None if options.images is None else LabelledFolder(options.images.absolute(), section)
    by_order = "" if tested is None else tested.listing[2]
    return replace(
        plain,
        preprocessing=section,
        tested=tested,
        lacking="no labelled images were given (--images DIR)",
        warnings=(*plain.warnings, *(line for line in (warning, by_order) if line)),
    )


def _preprocessing(plain: ModelItem, axes: ImageAxes, options: ModelOptions) -> tuple[dict[str, Any], str]:
    """The datasheet's section, and a warning or ""."""
    opened, written = plain.opened, {entry.key: entry.value for entry in plain.proto.metadata_props}
    how, origin, warning = image_input.preparation(options.preprocessing, opened.module, axes, written)
    stated = None if options.labels else image_input.stated_labels(written, axes.classes)
    labels = stated or image_input.read_labels(options.labels, axes.classes)
    noise = plain.checks(opened.model.batch).runs[0]
    outputs = image_input.kind_of_outputs(plain.reference(opened.model.batch).answer(noise))
    return image_input.section(axes, how, labels, outputs, origin), warning


def _refuse(options: ModelOptions, reason: str) -> None:
    """BadInput for what only a classifier of images can use."""
    given = {"--images": options.images, "--labels": options.labels, "--preprocessing": options.preprocessing}
    for option, value in given.items():
        if value is not None:
            raise BadInput(f"{option} for a model that classifies no images: {reason}", remedy=f"leave {option} out")


def _counts(opened: OpenedModel) -> dict[str, Quantity]:
    """Parameters and multiply-adds, as far as they can be counted."""
    if opened.module is not None:
        size = Quantity(params(opened.module), "", "exact: counted from the torch module")
    else:
        size = Quantity(
            constants(opened.model.data), "", "exact: all constants of the file, BatchNorm's statistics among them"
        )
    try:
        products = Quantity(madds(opened.model.data), "", "exact: counted from the ONNX model")
    except BadInput as error:
        products = Quantity(None, "", f"not measured: {error.got}")
    return {"params": size, "madds": products}
