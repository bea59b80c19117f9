"""Builds one engine in a folder: torch network, folded weights, ONNX (quantised if wanted), engine files."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from hwnas.export import inference_script
from hwnas.export.calibration import Calibration, images_of_dataset, images_of_path
from hwnas.export.engines import MODEL, Engine, compile_engine, open_engine, script
from hwnas.export.item import ExportItem
from hwnas.export.quantise import TOLERANCE, Quantised, quantise
from hwnas.onnx.edit import with_batch
from hwnas.onnx.writer import write_onnx
from profilers.base import Options, Session
from profilers.errors import BadInput, EngineUnavailable
from profilers.files import write_bytes, write_text

SCRIPT = "run.py"


@dataclass(frozen=True)
class Target:
    """What is to be built: the format, how it runs, and the GPUs ("sm86", …) that it is built for ahead of time."""

    engine: Engine
    options: Options
    gpus: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """As in "openvino bf16"."""
        return f"{self.engine.name} {self.options.precision}"


@dataclass
class Built:
    """An engine in its folder; `session` is None where it cannot run here, and `missing` says why.

    `note` says what was done to the weights, "" for nothing.
    """

    folder: Path
    files: list[str] = field(default_factory=list)
    session: Session | None = None
    missing: str = ""
    note: str = ""


class PrecisionVariants:
    """An item's ONNX model in each precision; a quantised one is made once, for all the engines that run it.

    Args:
        item: the network.
        calibration: the user's images (see `images_of_path`); the data set's where there is one.
        tolerance: % of held-out images that quantisation may move to another class (see `quantise`).
    """

    def __init__(self, item: ExportItem, calibration: Path | None = None, tolerance: float = TOLERANCE) -> None:
        self.item, self.path, self.tolerance = item, calibration, tolerance
        self.quantised: dict[bool, Quantised] = {}
        self.source = ""

    def of(self, target: Target) -> tuple[bytes, str]:
        """The model for a target, and what was done to its weights."""
        batch = target.options.batch
        if target.options.precision != "int8":
            return self.float32(batch), ""
        symmetric = target.engine.gpu
        if symmetric not in self.quantised:
            calibration, model = self.calibration(), self.float32(1)
            self.source = calibration.source
            self.quantised[symmetric] = quantise(model, calibration, symmetric=symmetric, tolerance=self.tolerance)
        found = self.quantised[symmetric]
        return with_batch(found.model, batch), found.note(self.source)

    def float32(self, batch: int) -> bytes:
        """With its weights, preprocessing and labels inside."""
        from hwnas.nets import fold

        item = self.item
        facts = {"arch": item.arch.id, "space": item.space.name, "weights": item.weights}
        facts |= inference_script.metadata(item.preprocessing)
        return write_onnx(item.space.layers(item.arch), fold(item.network), batch=batch, metadata=facts)

    def calibration(self) -> Calibration:
        """BadInput where there are no images."""
        if self.path is not None:
            return images_of_path(self.path, self.item.preprocessing)
        if self.item.dataset is None:
            remedy = "--calibration FOLDER or FILE.npz"
            raise BadInput("int8 of a network without a data set: no images to set the ranges with", "some", remedy)
        return images_of_dataset(self.item.dataset, self.item.arch.r)

    @property
    def can_quantise(self) -> bool:
        """Whether there are images."""
        return self.path is not None or self.item.dataset is not None


def build(variants: PrecisionVariants, target: Target, folder: Path) -> Built:
    """Write an engine's files into `folder` and open it.

    Raises:
        BadInput: a precision that the engine has not, or no images for int8.
        EngineUnavailable: it can neither be built nor run here.
    """
    model, note = variants.of(target)
    built = Built(folder, [MODEL], note=note)
    write_bytes(folder / MODEL, model)
    built.files += compile_engine(target.engine, model, target.options, target.gpus, folder)
    try:
        built.session = open_engine(target.engine, folder, target.options, built.files)
    except EngineUnavailable as error:
        if not target.engine.gpu:
            raise
        built.missing = error.got
    write_text(folder / SCRIPT, script(target.engine, target.options, built.files))
    built.files.append(SCRIPT)
    return built


@contextmanager
def temporary(target: Path) -> Iterator[Path]:
    """A new folder beside `target`, hidden, removed at the end unless it was moved; so is a parent left empty."""
    new = not target.parent.exists()
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if new and not any(target.parent.iterdir()):
            target.parent.rmdir()


def replace(folder: Path, target: Path) -> None:
    """Put a finished folder in its place."""
    folder.chmod(0o755)
    if target.exists():
        shutil.rmtree(target)
    folder.rename(target)
