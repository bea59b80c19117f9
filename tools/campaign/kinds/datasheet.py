"""`datasheet.json` of an exported engine: its bytes, and its values with a checksum that fits."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path
from random import Random

from tools.campaign.case import Case, Command, Kind
from tools.campaign.kinds import _engines, _runs
from tools.campaign.mutations import as_json, of_bytes, of_tree

SHEET = _engines.SHEET
NOTED = {"folder": "/elsewhere/engine", "datasheet": None}


def _prepare(folder: Path) -> None:
    _runs.searched(folder)
    _engines.exported(folder)


def _mutate(random: Random, prepared: Path, here: Path) -> Case:
    shutil.copytree(prepared / "engine", here / "engine")
    path = here / "engine" / SHEET
    if random.random() < 0.15:
        what, data = of_bytes(random, path.read_bytes())
    else:
        what, tree = of_tree(random, json.loads(path.read_text()), most=2)
        data = as_json(tree)
    path.write_bytes(_engines.fitting(data) if random.random() < 0.95 else data)
    commands: list[Command] = [looked_at]
    if random.random() < 0.01:
        commands.append(partial(reported, prepared, noted=random.random() < 0.5))
    return Case(what, commands, may_leave=("run*",))  # which `reported` copies


def looked_at() -> object:
    """All that is shown of an engine without running it."""
    import hwnas
    from hwnas.export.datasheet import markdown

    engine = hwnas.Engine("engine")
    shown = [engine.name, engine.predicted_ms, engine.measured_ms, engine.top1, engine.row(), list(engine.remarks)]
    return [*shown, str(engine), markdown(engine.datasheet), len(engine.datasheet["inputs"])]


def reported(prepared: Path, *, noted: bool) -> object:
    """The report of a run that it lies in, or that keeps a copy of its datasheet."""
    import hwnas

    shutil.copytree(prepared / "run", "run")
    if noted:
        Path("run/exported").mkdir()
        Path("run/exported/engine-1.json").write_bytes(_note(Path("engine", SHEET).read_bytes()))
    else:
        shutil.copytree("engine", "run/engines/engine")
    return hwnas.Run("run").report("report.html")


def _note(sheet: bytes) -> bytes:
    return json.dumps(NOTED).encode().replace(b"null", sheet)


KIND = Kind("datasheet", "datasheet.json", _prepare, _mutate, short=30)
