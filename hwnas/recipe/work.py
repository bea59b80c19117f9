"""What all stages know: the recipe, where things lie, the images, the space and the device; each looked up once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwnas.api.devices import Device
from hwnas.data.reference import Reference, parse_reference, resolve_reference
from hwnas.recipe.settings import RecipeSettings
from hwnas.space import SearchSpace
from hwnas.space.configured import configured_space, spelled

if TYPE_CHECKING:
    from hwnas.accuracy.protocol import Pace
    from hwnas.data import Dataset

Say = Callable[[str], None]
TOP1 = "top1"


@dataclass(frozen=True, eq=False)
class Work:
    """A recipe and its folder.

    Args:
        settings: of the recipe.
        folder: that its paths are relative to.
        say: called with a line for people.
    """

    settings: RecipeSettings
    folder: Path
    say: Say = field(default=lambda line: None)

    @property
    def out(self) -> Path:
        """Folder of everything that is made; the run's folder, too."""
        return self.folder / self.settings.out

    @cached_property
    def reference(self) -> Reference:
        """The images, with their folder absolute."""
        return parse_reference(resolve_reference(self.settings.images, self.folder)).located()

    @cached_property
    def dataset(self) -> Dataset:
        """The images; BadInput where they do not fit, as of `get_dataset`."""
        from hwnas.data import get_dataset

        return get_dataset(str(self.reference))

    @cached_property
    def space(self) -> SearchSpace:
        """At the recipe's resolutions, for the images' classes."""
        return configured_space(self.settings, self.settings.resolutions, self.dataset.classes)

    @cached_property
    def pace(self) -> Pace:
        """What an image costs in torch here; a few are timed."""
        from hwnas.accuracy.protocol import timed

        return timed(self.space, self.dataset.with_channels(self.space.in_channels))

    @property
    def balance(self) -> float:
        """Training images of the largest class for each of the smallest."""
        counts = self.dataset.labels("train").bincount(minlength=self.dataset.classes)
        return float(counts.max()) / max(float(counts.min()), 1.0)

    @cached_property
    def device(self) -> Device:
        """What the engine runs on."""
        return Device(**asdict(self.settings.device))

    @property
    def spoken_device(self) -> dict[str, Any]:
        """Section [device] as the journal has it; without the machine where it is this one."""
        said = asdict(self.settings.device)
        return said if said["host"] else {k: v for k, v in said.items() if k != "host"}

    @property
    def latency(self) -> str:
        """The objective of the device's table."""
        gpu = self.device.profiler.device == "cuda"
        return self.settings.table.objective or ("gpu_ms" if gpu else "cpu_ms")

    @property
    def table(self) -> Path:
        """The latency table's file: the recipe's own, or the one that is built."""
        given = self.settings.tables.get(self.latency)
        return self.folder / given if given else self.out / "tables" / f"{self.latency}.json"

    @property
    def tables(self) -> dict[str, Path]:
        """All tables by objective."""
        return {self.latency: self.table, **{k: self.folder / v for k, v in self.settings.tables.items()}}

    @property
    def objectives(self) -> tuple[str, ...]:
        """What is searched."""
        return self.settings.objectives or (TOP1, self.latency, *(k for k in self.tables if k != self.latency))

    @property
    def supernet(self) -> Path:
        """The supernet's file: the recipe's own, or the one that is trained."""
        given = self.settings.supernet.file
        return self.folder / given if given else self.out / "supernet.safetensors"

    @property
    def init(self) -> Path | None:
        """Weights that training starts from."""
        given = self.settings.supernet.init
        return self.folder / given if given else None

    # --- what configurations in `out` say -----------------------------------------------------------------------

    @property
    def spoken_space(self) -> dict[str, Any]:
        """`space`, `definition` and `resolutions` as a configuration has them."""
        said = {k: v for k, v in spelled(self.space).items() if v is not None}
        return {**said, "resolutions": list(self.space.resolutions)}

    @property
    def spoken_images(self) -> str:
        """The reference, relative to `out` where the recipe's is relative."""
        asked = parse_reference(self.settings.images)
        if asked.root is None or asked.root.expanduser().is_absolute():
            return self.settings.images
        return str(Reference(**{**vars(asked), "root": Path(self.relative(self.folder / asked.root))}))

    def relative(self, path: Path) -> str:
        """A path as configurations in `out` name it."""
        return os.path.relpath(path, self.out)

    # --- what is there ------------------------------------------------------------------------------------------

    @cached_property
    def images_digest(self) -> str:
        """Of the names and sizes of all files: other images give another one, wherever they lie."""
        root = self.reference.root
        if root is None:
            return ""
        files = sorted(path for path in root.rglob("*") if path.is_file())
        lines = (f"{path.relative_to(root)}\0{path.stat().st_size}\n" for path in files)
        return hashlib.sha256("".join(lines).encode(errors="surrogateescape")).hexdigest()[:16]

    @contextmanager
    def rooted(self) -> Iterator[None]:
        """Files made before the folder was moved name images that lie elsewhere: meanwhile these are where they are."""
        name, root = self.reference.variable, self.reference.root
        before = os.environ.get(name)
        if root is not None:
            os.environ[name] = str(root)
        try:
            yield
        finally:
            if before is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = before

    def relative_to_recipe(self, path: Path) -> str:
        """A path as the recipe would name it."""
        return os.path.relpath(path, self.folder)
