"""A run's files beside its archive: objectives.json, start.json, underway.json, what `hwnas compare` leaves there.

What an export leaves there is a datasheet, of which there is a kind.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from random import Random

from tools.campaign.case import Case, Command, Kind
from tools.campaign.kinds import _runs
from tools.campaign.kinds.archive import RIGHT, rows_differ
from tools.campaign.mutations import as_json, of_bytes, of_tree

OWN = """
[objective.energy]
source = "layers:costs.py:energy"
[objective.depth]
source = "network:costs.py:depth"
"""
COSTS = """def energy(layer):
    return 1e-6 * layer.madds + layer.out_channels


def depth(network):
    return len(network["layers"])
"""
COMPARED = {
    "networks": [
        {"name": "a", "source": "this search", "ms": 1.5, "low": 1.4, "high": 1.6, "top1": 60.0, "top1_low": 55.0,
         "top1_high": 65.0, "params": 15274, "madds": 1000000, "size": 12, "remark": ""},
        {"name": "b", "source": "torchvision", "ms": None, "failed": "no memory", "imagenet_top1": 71.0, "size": 224},
    ],
    "clock": "wall", "fingerprint": {"device": "a CPU", "runtime": "onnxruntime", "precision": "fp32", "batch": 1},
}  # fmt: skip
UNDERWAY = {"now": ["0123456789"], "ended": {"0123456789": 1}}
FILES = ("objectives.json", "start.json", "underway.json", "known/compare.json")


def _prepare(folder: Path) -> None:
    first = _runs.searched(folder)
    (folder / "costs.py").write_text(COSTS)
    text = (folder / "search.toml").read_text()
    names = 'objectives = ["top1", "params", "cpu_ms", "energy", "depth"]'
    text = text.replace('objectives = ["top1", "params", "cpu_ms"]', f'{names}\ninit_from = "{first}"')
    (folder / "own.toml").write_text(text + OWN)
    run = folder / "own"
    _runs.must("search", str(folder / "own.toml"), "--out", str(run))
    (folder / RIGHT).write_text(_runs.must("archive", str(run)).out)
    for name, content in zip(FILES[2:], (UNDERWAY, COMPARED), strict=True):
        (run / name).parent.mkdir(exist_ok=True)
        (run / name).write_text(json.dumps(content))


def _mutate(random: Random, prepared: Path, here: Path) -> Case:
    shutil.copytree(prepared / "own", here / "own")
    name = random.choice((*FILES, FILES[0], FILES[1]))
    path = here / "own" / name
    if random.random() < 0.2:
        what, data = of_bytes(random, path.read_bytes())
    else:
        what, tree = of_tree(random, json.loads(path.read_text()), most=2)
        data = as_json(tree)
    path.write_bytes(data)
    right, commands = (prepared / RIGHT).read_text(), _commands(name, random, prepared)
    printed = commands[0] == ("archive", "own")
    return Case(f"{name}: {what}", commands, lambda i, out: rows_differ(i, out, right) if printed else "")


def _commands(name: str, random: Random, prepared: Path) -> list[Command]:
    """What reads that file, the quick ones more often."""
    if name.startswith("known"):
        return [looked_at, *([("report", "own", "--out", "r.html")] if random.random() < 0.05 else [])]
    if name == "objectives.json" and random.random() < 0.8:
        return [("archive", "own"), ("select", "own")]
    longer = ("--set", "search.iterations=3")
    return [("archive", "own"), ("search", str(prepared / "own.toml"), "--out", "own", *longer)]


def looked_at() -> object:
    """What a report reads of them."""
    from hwnas.report import known

    found = known.read(Path("own"))
    return [known.about(found), known.table(found)] if found else []


KIND = Kind(
    "run-files", "a run's objectives.json, start.json, underway.json, compare.json", _prepare, _mutate, short=12
)
