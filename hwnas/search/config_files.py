"""The file of a search's configuration: read, with what it names in its own folder, and written into a run's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import tomli_w

from hwnas import accuracy
from hwnas.data.reference import resolve_reference
from hwnas.search.config import STORED, Config
from hwnas.search.objective_headers import loads_objectives
from hwnas.search.own_objectives import TABLE, ObjectiveSettings, resolve
from hwnas.settings import draft as draft_settings
from hwnas.settings import read_toml
from hwnas.space import stored_space
from hwnas.space.configured import defined
from profilers.errors import BadInput, HwnasError
from profilers.plugins import PREFIX
from profilers.refusals import Refusals


def load(path: Path, overrides: Sequence[str] = ()) -> Config:
    """Read a TOML file, apply `a.b=c` overrides, check everything but the files that it names (`checks` does).

    Raises:
        FileProblem: the file cannot be read. BadInput: everything in it that does not fit, with the nearest allowed.
    """
    found = Refusals()
    config = draft_of_file(path, overrides, found)
    found.raise_if_any()
    return config


def draft_of_file(path: Path, overrides: Sequence[str], found: Refusals) -> Config:
    """`load`, for checks that go on: what does not fit goes to `found` (see `profilers.validation.draft`)."""
    return draft(read_toml(path, overrides, loads=loads_objectives), path.parent, str(path), found)


def load_stored(path: Path) -> Config:
    """The configuration that a run's folder keeps, which may come from somebody else: no module that it names is used.

    Raises:
        FileProblem: it cannot be read. BadInput: anything in it that does not fit.
    """
    data = read_toml(path)
    if isinstance(name := data.get("space"), str):
        stored_space(name, data.get("definition"), where=str(path))
    token = STORED.set(True)
    try:
        return parse(data, path.parent, str(path))
    finally:
        STORED.reset(token)


def parse(data: Mapping[str, Any], folder: Path, where: str) -> Config:
    """Check a configuration; paths are relative to `folder`, `where` names it in errors."""
    found = Refusals()
    config = draft(data, folder, where, found)
    found.raise_if_any()
    return config


def draft(data: Mapping[str, Any], folder: Path, where: str, found: Refusals) -> Config:
    """`parse`, for checks that go on: what does not fit goes to `found`."""
    known, refused = defined(data, folder, found)
    return draft_settings(Config, _placed(known, folder), where, found, refused)


def _placed(data: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """With every file and module that it names in `folder`; what does not fit stays, for the check to say so."""
    result = dict(data)
    for name, place in _PLACED.items():
        if name in data:
            with suppress(HwnasError, AttributeError, TypeError, ValueError):
                result[name] = place(data[name], folder)
    return result


def _surrogate(section: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    name = section.get("surrogate", "")
    module = (folder / name.removeprefix(PREFIX)).absolute()
    return {**section, "surrogate": f"{PREFIX}{module}"} if name.startswith(PREFIX) else dict(section)


def _dataset(options: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    dataset = options.get("dataset")
    return {**options, "dataset": resolve_reference(dataset, folder)} if isinstance(dataset, str) else dict(options)


_PLACED: dict[str, Callable[[Any, Path], Any]] = {
    "accuracy": accuracy.resolve,
    "init_from": lambda path, folder: str((folder / path).absolute()),
    "tables": lambda tables, folder: {name: _in(path, folder) for name, path in tables.items()},
    "objective": lambda sections, folder: {name: _own(section, folder) for name, section in sections.items()},
    "search": _surrogate,
    "evaluate": _dataset,
}


def _in(path: Any, folder: Path) -> Any:
    return str(folder / path) if isinstance(path, str) else path


def _own(section: Any, folder: Path) -> Any:
    """A section [objective.NAME] whose source is in the folder, unless that is no source."""
    try:
        source = ObjectiveSettings(section["source"])
    except (HwnasError, TypeError, KeyError):
        return section
    return section if section["source"] == f"{TABLE}:" else {**section, "source": resolve(source, folder).source}


def to_toml(config: Config) -> str:
    """The configuration as TOML, without where it ran.

    Raises:
        BadInput: [evaluate] holds what TOML cannot, such as None.
    """
    values = {name: value for name, value in asdict(config).items() if name != "executor"}
    values["objective"] = {name: _stated(section) for name, section in values["objective"].items()}
    values["search"]["stop"] = _stated(values["search"]["stop"])
    try:
        return tomli_w.dumps(_plain(_stated(values)))
    except TypeError as error:
        raise BadInput(f"evaluate = {config.evaluate!r}", "texts, numbers, true, false, lists and sections") from error


def _stated(section: Mapping[str, Any]) -> dict[str, Any]:
    """The keys that say something."""
    return {name: value for name, value in section.items() if value is not None and value != {}}


def _plain(value: Any) -> Any:
    """With paths as texts and tuples as lists."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value
