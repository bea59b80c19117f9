"""Builds one engine in a folder: the network's ONNX (quantised if wanted), and the engine's files made of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from hwnas.export.engines import MODEL, Engine, compile_engine, open_engine, script
from hwnas.export.exportable import Exportable, Quantised
from hwnas.export.quantise import TOLERANCE
from profilers.base import Options, Session
from profilers.errors import EngineUnavailable
from profilers.files import write_bytes, write_text
from profilers.onnx.quantise import QuantConfig
from profilers.temporary import beside

SCRIPT = "run.py"


@dataclass(frozen=True)
class Target:
    """What is to be built: the format, how it runs, and the GPUs ("sm86", …) that it is built for ahead of time.

    With `dynamic`, the engine takes any batch; `options.batch` is the one that it is measured at.
    """

    engine: Engine
    options: Options
    gpus: tuple[str, ...] = ()
    dynamic: bool = False

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
    """A network's ONNX model in each precision; a quantised one is made once, for all the engines that run it.

    Args:
        item: the network.
        calibration: the user's images or arrays (see `hwnas.export.calibration`); the data set's where there is one.
        tolerance: % of held-out images that quantisation may move to another class (see `quantise`).
    """

    def __init__(self, item: Exportable, calibration: Path | None = None, tolerance: float = TOLERANCE) -> None:
        self.item, self.path, self.tolerance = item, calibration, tolerance
        self.quantised: dict[QuantConfig, Quantised] = {}

    def of(self, target: Target) -> tuple[bytes, str]:
        """The model for a target, and what was done to its weights; BadInput for a precision that it cannot have."""
        self.item.check_precision(target.options.precision)
        batch = None if target.dynamic else target.options.batch
        if target.options.precision != "int8" or self.item.is_quantised:
            return self.item.onnx(batch), ""
        found = self._quantised(QuantConfig.for_runtime(target.engine.running))
        return found.onnx(batch), found.note

    def _quantised(self, config: QuantConfig) -> Quantised:
        if config not in self.quantised:
            self.quantised[config] = self.item.quantise(self.path, config, self.tolerance)
        return self.quantised[config]

    def float32(self, batch: int) -> bytes:
        """With its weights as they are."""
        return self.item.onnx(batch)

    @property
    def lacking(self) -> str:
        """Why there can be no int8, or ""."""
        return "" if self.item.is_quantised else self.item.cannot_quantise(self.path)


def build(variants: PrecisionVariants, target: Target, folder: Path) -> Built:
    """Write an engine's files into `folder` and open it.

    Raises:
        BadInput: a precision that the engine has not, or no images for int8.
        EngineUnavailable: it can neither be built nor run here.
    """
    model, note = variants.of(target)
    built = Built(folder, [MODEL], note=note)
    write_bytes(folder / MODEL, model)
    built.files += compile_engine(
        target.engine, model, target.options, target.gpus, folder, variants.item.module(target.options.batch)
    )
    try:
        built.session = open_engine(target.engine, folder, target.options, built.files)
    except EngineUnavailable as error:
        if not target.engine.gpu:
            raise
        built.missing = error.got
    entry = next(iter(variants.item.ports(target.options.batch)[0])) if variants.item.preprocessing else None
    write_text(folder / SCRIPT, script(target.engine, target.options, built.files, entry))
    built.files.append(SCRIPT)
    return built


@contextmanager
def temporary(target: Path) -> Iterator[Path]:
    """A new folder beside `target`, hidden, removed at the end unless it was moved; so is a parent left empty."""
    new = not target.parent.exists()
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with beside(target) as folder:
            folder.mkdir()
            yield folder
    finally:
        if new and not any(target.parent.iterdir()):
            target.parent.rmdir()


def put(folder: Path, target: Path) -> None:
    """Put a finished folder in its place; whatever stops it on the way, what was there before stays or is back."""
    with beside(target) as old:
        try:
            if target.exists():
                target.rename(old)
            folder.rename(target)
        finally:
            if not target.exists() and old.exists():
                old.rename(target)
