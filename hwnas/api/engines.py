"""Exported engines: opened, run, and validated again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from hwnas.api.display import Facts, Printable, table
from hwnas.api.engine_tables import changes_table, engines_table, export_row
from hwnas.export import datasheet, parity
from hwnas.export.engines import open_engine, stored_engine
from hwnas.export.rebuild import engine_options
from hwnas.export.runtime_costs import CostPlan
from hwnas.export.speed import disturbed
from hwnas.export.validate import validate as validate_folder
from profilers.base import Session
from profilers.errors import BadInput

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

    def validate(
        self, *, force: bool = False, rebuild: bool = False, quick: bool = False, host: str = ""
    ) -> Validation:
        """Measure it again and compare with the datasheet, as `hwnas.validate`."""
        return validate(self.folder, force=force, rebuild=rebuild, quick=quick, host=host)

    def row(self) -> dict[str, Any]:
        """What a program wants to know, as `hwnas export` prints it."""
        return {"folder": str(self.folder), **export_row(self.datasheet)}

    @property
    def remarks(self) -> Sequence[str]:
        """What it is not good for, and what disturbed its measurement."""
        return [*self.datasheet["warnings"], *disturbed(self.datasheet["latency"]["timing"])]

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


def validate(
    folder: Path | str, *, force: bool = False, rebuild: bool = False, quick: bool = False, host: str = ""
) -> Validation:
    """Measure an exported engine again, on this machine or another, and compare it with its datasheet.

    Args:
        folder: an exported one.
        force: measure although this is another device or setting.
        rebuild: first build the engine again for this machine.
        quick: leave out throughput, memory, cold start and the interrupted state.
        host: the device that it is measured on, as in "ssh://me@board"; cold start and memory are left out there.

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
    return Validation(validate_folder(Path(folder), force=force, anew=rebuild, host=host, costs=costs))


class Validation(Facts):
    """What `validate` found, by name; shown as the changes against the datasheet."""

    def __init__(self, found: Mapping[str, Any]) -> None:
        remarks = [*(f"differs: {x}" for x in found["differences"]), *disturbed(found["timing"])]
        super().__init__("The datasheet and the machine, now", found, remarks)

    def table(self) -> Table:
        """See `Printable`."""
        return changes_table(self)
