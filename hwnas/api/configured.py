"""The configuration of a search that keyword arguments describe."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hwnas.api.spaces import pixels
from hwnas.api.tables import LatencyTable
from hwnas.search import config_files
from hwnas.search.config import Config
from hwnas.search.own_objectives import GIVEN, OwnObjective
from hwnas.space import SearchSpace
from hwnas.space.configured import spelled
from profilers import temporary

Tables = Mapping[str, LatencyTable | Path | str]
Say = Callable[[str], None]
OUT = Path("runs")


_SETTINGS = ("surrogate", "initial", "iterations", "per_iteration")


@contextmanager
def configured(tables: Tables, wanted: dict[str, Any]) -> Iterator[Config]:
    """The configuration that keyword arguments describe; tables without a file have one while it is open."""
    values = _known(wanted)
    more = {name: dict(section) for name, section in values.pop("settings", {}).items()}
    if own := own_objectives(values["objectives"]):
        said = {name: {"source": GIVEN, "unit": o.unit, "direction": o.direction} for name, o in own.items()}
        more["objective"] = {**said, **more.get("objective", {})}
    more["search"] = {**{name: values.pop(name) for name in _SETTINGS}, **more.get("search", {})}
    if (workers := values.pop("workers", 1)) > 1:
        more["executor"] = {"workers": workers, **more.get("executor", {})}
    if isinstance(space := values["space"], SearchSpace):
        values = {"resolutions": space.resolutions, "classes": space.classes, **values, **_known(spelled(space))}
    if "resolutions" in values:
        values["resolutions"] = list(pixels(values["resolutions"]) or ())
    if "init_from" in values:
        values["init_from"] = str(Path(values["init_from"]).absolute())
    with temporary.scratch("tables") as place:
        files = {name: str(table_file(name, value, Path(place))) for name, value in tables.items()}
        data = {**_plain(values), "tables": files, **more}
        yield config_files.parse(data, Path.cwd(), "search")


def own_objectives(objectives: Sequence[str | OwnObjective]) -> dict[str, OwnObjective]:
    """Those that the program brings, by name."""
    return {o.name: o for o in objectives if isinstance(o, OwnObjective)}


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    lists = {"objectives": [getattr(o, "name", o) for o in values["objectives"]]}
    return {**values, **lists, **{k: dict(values[k]) for k in ("budget", "evaluate") if k in values}}


def table_file(name: str, given: LatencyTable | Path | str, folder: Path) -> Path:
    """Of a table: its own where the object is as it lies there."""
    if not isinstance(given, LatencyTable):
        return Path(given).absolute()
    if given.path is not None and given.path.is_file() and LatencyTable(given.path).data == given.data:
        return given.path.absolute()
    import lut

    lut.save(given.data, folder / f"{name}.json")
    return folder / f"{name}.json"
