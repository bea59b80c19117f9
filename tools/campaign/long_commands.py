"""Every command that takes long, as small as it can be: what it needs, how it is called, and what it makes.

What is made is compared without what a clock says: seconds, dates, measured times, and hashes of files that hold them.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

Made = Mapping[str, Any]
CLOCK = (
    "seconds",
    "sha256",
    "date",
    "created",
    "when",
    "measured_at",
    "fingerprint",
    "latency",
    "runtime_costs",
    "throughput",
)

SPACE = """resolutions = [12]
in_channels = 1
classes = 10
stem = 4
final = 8
mix = 0
kernels = [3, 5]
expands = [2, 3]
depths = [1, 2]
[[stages]]
channels = 6
stride = 2
act = "relu"
se = false
[[stages]]
channels = 8
stride = 2
act = "relu"
se = false
"""
ACCURACY = """def top1(arch):
    return 60.0 + arch["r"] + sum(k * e for k, e in zip(arch["ks"], arch["e"])) / 100
"""
SEARCH = """space = "tiny"
accuracy = "python:formula:top1"
objectives = ["top1", "params", "madds"]
[search]
initial = 12
iterations = 2
per_iteration = 4
surrogate = "rbf"
population = 16
generations = 3
"""
TRAINING = 'dataset = "folder:pictures"\nspace = "s.toml"\nseed = 1\n[recipe]\nbatch = 12\n'
SUPERNET = f"""out = "supernet.safetensors"
{TRAINING}[[phases]]
name = "largest"
epochs = 1
[[phases]]
name = "all"
epochs = 2
kernels = 0
depths = 0
expands = 0
"""
FINETUNE = f'out = "networks"\narchs = "archs.jsonl"\nepochs = 2\n{TRAINING}'
RECIPE = """images = "folder:pictures"
space = "s.toml"
seed = 3
[budget]
cpu_ms = 5
[tables]
cpu_ms = "table.json"
[supernet]
phases = [{ name = "all", epochs = 1, lr = 0.1, kernels = 0, depths = 0, expands = 0 }]
[search]
initial = 8
iterations = 0
[select]
n = 1
[finetune]
epochs = 1
[export]
quick = true
"""


@dataclass(frozen=True)
class LongCommand:
    """One kind of call.

    prepare    writes what it reads into a folder
    arguments  of the command line, in that folder
    made       what is compared of the folder
    share      of 200 kills
    endless    whether it runs until it is interrupted
    """

    prepare: Callable[[Path], None]
    arguments: tuple[str, ...]
    made: Callable[[Path], Made]
    share: int
    endless: bool = False


# --- what they read ---------------------------------------------------------------------------------------------------


def pictures(folder: Path) -> None:
    """Two classes of noise, darker and lighter, 12 pixels wide."""
    rng = np.random.default_rng(0)
    for split, count in {"train": 12, "val": 6, "test": 6}.items():
        for label in ("dark", "light"):
            place = folder / "pictures" / split / label
            place.mkdir(parents=True)
            for i in range(count):
                values = rng.integers(0, 128, (12, 12, 3)) + 127 * (label == "light")
                Image.fromarray(values.astype(np.uint8)).save(place / f"{i}.png")


def space(folder: Path) -> None:
    """Four layers at most."""
    (folder / "s.toml").write_text(SPACE)


def search(folder: Path) -> None:
    """A formula of the architecture."""
    (folder / "formula.py").write_text(ACCURACY)
    (folder / "c.toml").write_text(SEARCH)


def supernet(folder: Path) -> None:
    """Two phases."""
    pictures(folder)
    (folder / "s.toml").write_text(SPACE)
    (folder / "c.toml").write_text(SUPERNET)


def finetune(folder: Path) -> None:
    """Two networks from random weights."""
    import hwnas

    pictures(folder)
    (folder / "s.toml").write_text(SPACE)
    rows = [json.dumps(network.arch.to_json()) for network in hwnas.Networks.sample(str(folder / "s.toml"), n=2)]

    (folder / "archs.jsonl").write_text("\n".join(rows) + "\n")
    (folder / "c.toml").write_text(FINETUNE)


def finished_run(folder: Path) -> None:
    """A run whose front is to be exported or watched."""
    import hwnas

    (folder / "formula.py").write_text(ACCURACY)
    (folder / "c.toml").write_text(
        SEARCH.replace("initial = 12", "initial = 8").replace("iterations = 2", "iterations = 0")
    )
    hwnas.search("tiny", lambda arch: 60.0 + arch["r"], objectives=["top1", "params"], initial=8, iterations=0,
                 out=folder / "run", seed=2)  # fmt: skip


def recipe(folder: Path) -> None:
    """The whole way, with a table of a data sheet."""
    import hwnas

    pictures(folder)
    (folder / "recipe.toml").write_text(RECIPE)
    (folder / "s.toml").write_text(SPACE)
    hwnas.LatencyTable.estimate(str(folder / "s.toml"), classes=2).save(folder / "table.json")


# --- what they make ---------------------------------------------------------------------------------------------------


def timeless(value: Any) -> Any:
    """Without what a clock says."""
    if isinstance(value, Mapping):
        return {k: timeless(v) for k, v in value.items() if not any(word in str(k) for word in CLOCK)}
    return [timeless(v) for v in value] if isinstance(value, list | tuple) else value


def archive(folder: Path) -> Made:
    """Rows, proposals and figures of every run below a folder."""
    from hwnas.search.run import open_run

    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("archive.sqlite")):
        with open_run(path.parent) as run:
            steps = run.archive.iterations()
            rows = [row.to_json() for row in run.archive.evaluations()]
            found[str(path.relative_to(folder))] = timeless(
                {
                    "rows": rows,
                    "steps": steps,
                    "proposed": [vars(p) for k in range(len(steps)) for p in run.archive.proposal(k)],
                }
            )
        found[str(path.with_name("run.toml").relative_to(folder))] = path.with_name("run.toml").read_text()
    return found


def table(folder: Path) -> Made:
    """Every number of a latency table that the simulated device gave, to the last digit."""
    content = json.loads((folder / "t.json").read_text())["content"]
    batches = [
        {k: v for k, v in batch.items() if k not in ("seconds", "background_load")}
        for batch in content["observations"]["batches"]
    ]
    names = ("space", "method", "entries", "calibration", "interval")
    return {**{name: content[name] for name in names}, "batches": batches}


def weights(folder: Path) -> Made:
    """Tensors and facts of every network and supernet."""
    from hwnas.nets.tensorfile import read_tensors

    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*.safetensors*")):
        tensors, head = read_tensors(path)
        digests = {name: hashlib.sha256(value.numpy().tobytes()).hexdigest() for name, value in tensors.items()}
        found[str(path.relative_to(folder))] = {"tensors": digests, "facts": timeless(head)}
    return found


def engines(folder: Path) -> Made:
    """Files of every engine, and what its datasheet says apart from times."""
    found: dict[str, Any] = {}
    for sheet in sorted(folder.rglob("datasheet.json")):
        for path in sorted(p for p in sheet.parent.iterdir() if p.suffix in (".onnx", ".py", ".npz")):
            found[str(path.relative_to(folder))] = hashlib.sha256(_lasting(path)).hexdigest()
        known = json.loads(sheet.read_text())
        found[str(sheet.relative_to(folder))] = {
            k: timeless(known.get(k)) for k in ("network", "arch", "id", "accuracy", "request")
        }
    return found


def _lasting(path: Path) -> bytes:
    """A file's content; of a model the graph, since its notes have a hash."""
    if path.suffix != ".onnx":
        return path.read_bytes()
    import onnx

    return bytes(onnx.load(str(path)).graph.SerializeToString())


def everything(folder: Path) -> Made:
    """What a recipe makes."""
    return {**archive(folder), **weights(folder), **engines(folder)}


# --- the commands -----------------------------------------------------------------------------------------------------

_SEARCH = ("search", "c.toml", "--out", "run")
COMMANDS: Mapping[str, LongCommand] = {
    "search": LongCommand(search, _SEARCH, archive, 80),
    "search, processes": LongCommand(search, (*_SEARCH, "--workers", "2"), archive, 24),
    "search, Ray": LongCommand(search, (*_SEARCH, "--executor", "ray"), archive, 4),
    "lut build": LongCommand(
        space, ("lut", "build", "--space", "s.toml", "--engine", "fake", "--out", "t.json"), table, 18
    ),
    "train supernet": LongCommand(supernet, ("train", "supernet", "c.toml"), weights, 26),
    "train finetune": LongCommand(finetune, ("train", "finetune", "c.toml"), weights, 30),
    "export": LongCommand(
        finished_run, ("export", "run", "--all", "--random-weights", "--quick", "--out", "engines"), engines, 12
    ),
    "run": LongCommand(recipe, ("run", "recipe.toml"), everything, 6),
    "watch": LongCommand(finished_run, ("watch", "run"), archive, 2, endless=True),
}


def prepared(name: str, folder: Path, kept: Path) -> Path:
    """A new folder with what a command reads, a copy of `kept`, which is made once."""
    if not kept.exists():
        kept.mkdir(parents=True)
        COMMANDS[name].prepare(kept)
    shutil.copytree(kept, folder)
    return folder
