"""Files outside a run that it names, and where they lie: a run may be moved, with them or without them.

In `run.toml` a file inside the run's folder is relative to it; one outside keeps its absolute path. Where a search is
continued under a configuration that names the same file at another place, the run takes the new place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from hwnas import accuracy
from hwnas.accuracy import timeout
from hwnas.data.reference import parse_reference
from hwnas.search.config import Config


def portable(config: Config, folder: Path) -> Config:
    """The configuration as it is written into the run's folder."""
    place, (kind, rest) = folder.absolute(), accuracy.split(config.accuracy)
    if kind in accuracy.FILES and Path(rest).is_relative_to(place):
        config = replace(config, accuracy=f"{kind}:{Path(rest).relative_to(place)}")
    if isinstance(dataset := config.evaluate.get("dataset"), str):
        config = replace(config, evaluate={**config.evaluate, "dataset": _inside(dataset, place)})
    return config


def _inside(dataset: str, place: Path) -> str:
    """A data set whose images lie in the run's folder, relative to it; any other as it is."""
    found = parse_reference(dataset)
    if found.root is None or not found.root.is_relative_to(place):
        return dataset
    return str(replace(found, root=found.root.relative_to(place)))


def same_accuracy(old: str, new: str) -> bool:
    """Whether two sources are the same, of which one may have been moved or copied."""
    (kind, before), (other, now) = accuracy.split(old), accuracy.split(new)
    if old == new or kind != other or kind not in accuracy.FILES:
        return old == new
    return _same_file(_file(kind, before), _file(kind, now)) and Path(before).name == Path(now).name


def same_options(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether [evaluate] says the same; its data set may have been moved, and the others change no percentage."""
    a, b = ({k: v for k, v in x.items() if k not in ("unit", "dataset", timeout.NAME)} for x in (old, new))
    return a == b and _name(old.get("dataset")) == _name(new.get("dataset"))


def relocated(config: Config, now: Config) -> Config:
    """A run's configuration with the places that `now` names, which says the same otherwise."""
    places = {name: getattr(now, name) for name in ("accuracy", "init_from", "evaluate")}
    return replace(config, **places)


def _name(dataset: Any) -> Any:
    return Path(dataset).name if isinstance(dataset, str) else dataset


def _file(kind: str, rest: str) -> Path:
    path = Path(rest)
    return path.with_name(f"{path.name.partition(':')[0]}.py") if kind == "python" else path


def _same_file(old: Path, new: Path) -> bool:
    """Also where the old one is gone: it was moved."""
    if not old.is_file() or not new.is_file():
        return not old.is_file()
    return old.stat().st_size == new.stat().st_size and old.read_bytes() == new.read_bytes()
