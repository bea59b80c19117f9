"""The configurations of `hwnas train` from their files: everything that does not fit is said at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hwnas.data import check_dataset
from hwnas.data.reference import resolve_reference
from hwnas.ofa.network_files import read_archs
from hwnas.settings import draft, read_toml
from hwnas.space.configured import configured_space, defined
from hwnas.train.config import SHRINKING, FinetuneConfig, SupernetConfig
from profilers.errors import BadInput
from profilers.files import check_readable
from profilers.refusals import Refusals

PATHS = ("out", "init", "archs", "supernet")


def supernet_config(path: Path, overrides: Sequence[str] = ()) -> SupernetConfig:
    """Of `hwnas train supernet`, with its paths in the file's folder.

    Raises:
        FileProblem: the file cannot be read. BadInput: everything in it that does not fit, a line each.
    """
    found = Refusals()
    config: SupernetConfig = _draft(
        SupernetConfig, path, overrides, found, {"phases": [asdict(phase) for phase in SHRINKING]}
    )
    _look(config, ("init",), found)
    with found.collect():
        configured_space(config, config.resolutions)
    with found.collect():
        if config.out.suffix != ".safetensors":
            raise BadInput(
                f"out = {config.out.name}", "a file ending in .safetensors", f"{config.out.stem}.safetensors"
            )
    found.raise_if_any()
    return config


def finetune_config(path: Path, overrides: Sequence[str] = ()) -> FinetuneConfig:
    """Of `hwnas train finetune`; as `supernet_config`."""
    found = Refusals()
    config: FinetuneConfig = _draft(FinetuneConfig, path, overrides, found)
    _look(config, ("archs", "supernet"), found)
    with found.collect():
        if config.space:
            space = configured_space(config, config.resolutions)
            with found.collect():
                if config.archs.is_file():
                    read_archs(space, config.archs)
    found.raise_if_any()
    return config


def _draft(
    kind: Any, path: Path, overrides: Sequence[str], found: Refusals, defaults: Mapping[str, Any] | None = None
) -> Any:
    known, refused = defined(read_toml(path, overrides, defaults), path.parent, found)
    return draft(kind, _placed(known, path.parent), str(path), found, refused)


def _placed(data: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """With every file in the folder."""
    placed: dict[str, Any] = {name: str(folder / path) for name in PATHS if isinstance(path := data.get(name), str)}
    found = Refusals()
    if isinstance(dataset := data.get("dataset"), str):
        with found.collect():  # what is wrong with it, `_look` says
            placed["dataset"] = resolve_reference(dataset, folder)
    if isinstance(models := data.get("models"), list):
        placed["models"] = [_model(name, folder) for name in models]
    return {**data, **placed}


def _model(text: Any, folder: Path) -> Any:
    """NAME as it is, of NAME=FILE the file in the folder."""
    name, given, file = text.partition("=") if isinstance(text, str) else (text, "", "")
    return f"{name}={folder / file}" if given else text


def _look(config: Any, files: Sequence[str], found: Refusals) -> None:
    """The data set and the files that are read."""
    with found.collect():
        check_dataset(config.dataset)
    for name in files:
        with found.collect():
            if (path := getattr(config, name, None)) is not None:
                check_readable(path)
