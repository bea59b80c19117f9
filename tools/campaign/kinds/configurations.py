"""Configurations in TOML: of a search, of a run (`run.toml`), of a supernet and of fine-tuning.

What is taken is carried out where that is quick; otherwise it is checked as it is before anything long begins.
"""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path
from random import Random

from tools.campaign.case import Case, Kind
from tools.campaign.kinds import _runs
from tools.campaign.kinds.archive import RIGHT, rows_differ
from tools.campaign.mutations import as_toml, of_bytes, of_tree

SUPERNET = """space = "tiny"
dataset = "digits"
out = "supernet.safetensors"
resolutions = [12]
threads = 1
[recipe]
batch = 16
precision = "fp32"
[[phases]]
name = "largest"
steps = 2
lr = 0.1
networks = 1
kernels = 0
"""
FINETUNE = """dataset = "digits"
archs = "archs.jsonl"
out = "nets"
supernet = "supernet.safetensors"
steps = 2
lr = 0.01
patience = 0
teacher = true
models = []
[recipe]
batch = 16
distill = 0.5
[regularise]
ema = 0.9
randaugment = 1
mixup = 0.2
"""
MOST_STEPS, MOST_EVALUATIONS = 8, 40  # that are carried out


def _prepare(folder: Path) -> None:
    run = _runs.searched(folder)
    (folder / RIGHT).write_text(_runs.must("archive", str(run)).out)
    (folder / "supernet.toml").write_text(SUPERNET)
    _runs.must("train", "supernet", str(folder / "supernet.toml"))
    (folder / "finetune.toml").write_text(FINETUNE)
    rows = (folder / RIGHT).read_text().splitlines()
    (folder / "archs.jsonl").write_text(next(row for row in rows if '"r": 12' in row) + "\n")


def _mutate(random: Random, prepared: Path, here: Path) -> Case:
    return random.choice((_search, _search, _run, _supernet, _finetune))(random, prepared, here)


def _search(random: Random, prepared: Path, here: Path) -> Case:
    for name in ("accuracy.py", "cpu.json"):
        shutil.copyfile(prepared / name, here / name)
    what = _mutated(random, prepared / "search.toml", here / "search.toml")
    return Case(f"search: {what}", (check_search, archive_of_search), may_leave=("accuracy.py*",))


def check_search() -> object:
    """Checked as `hwnas search` does it, then searched if that is quick, or made and opened again."""
    from hwnas.search import checks
    from hwnas.search.run import create_run, open_run

    folder = Path("run")
    config = checks.load(Path("search.toml"), [], folder)
    small = config.search.evaluations <= MOST_EVALUATIONS and config.search.population <= 50
    if small and config.search.generations <= 50 and config.executor.workers == 1:
        import hwnas

        return len(hwnas.search_config("search.toml", folder).networks)
    create_run(folder, config).archive.close()
    with open_run(folder) as run:
        return run.config.search


def archive_of_search() -> object:
    """What was made can be read."""
    import hwnas

    return len(hwnas.Run("run").archive()) if Path("run/run.toml").exists() else 0


def _run(random: Random, prepared: Path, here: Path) -> Case:
    shutil.copytree(prepared / "run", here / "run")
    what = _mutated(random, prepared / "run" / "run.toml", here / "run" / "run.toml")
    right = (prepared / RIGHT).read_text()
    commands = (("archive", "run"), ("select", "run"))
    return Case(f"run: {what}", commands, lambda number, out: rows_differ(number, out, right))


def _supernet(random: Random, prepared: Path, here: Path) -> Case:
    what = _mutated(random, prepared / "supernet.toml", here / "supernet.toml")
    return Case(f"supernet: {what}", (check_supernet,))


def check_supernet() -> object:
    """Checked, and trained if that is quick."""
    from hwnas.train.configured import supernet_config

    config = supernet_config(Path("supernet.toml"))
    steps = sum(phase.steps or 10**6 for phase in config.phases)
    quick = steps <= MOST_STEPS and max(phase.networks for phase in config.phases) <= 3 and config.recipe.batch <= 512
    return _train("supernet") if quick else config


def _finetune(random: Random, prepared: Path, here: Path) -> Case:
    for name in ("archs.jsonl", "supernet.safetensors"):
        shutil.copyfile(prepared / name, here / name)
    what = _mutated(random, prepared / "finetune.toml", here / "finetune.toml")
    return Case(f"finetune: {what}", (check_finetune,))


def check_finetune() -> object:
    """Checked, and trained if that is quick."""
    from hwnas.train.configured import finetune_config

    config = finetune_config(Path("finetune.toml"))
    quick = (config.steps or 10**6) <= MOST_STEPS and config.recipe.batch <= 512 and not config.models
    return _train("finetune") if quick else config


def _train(what: str) -> object:
    import hwnas

    if what == "supernet":
        return hwnas.train_supernet("supernet.toml").to_json()
    return list(hwnas.finetune("finetune.toml"))


def _mutated(random: Random, source: Path, target: Path) -> str:
    if random.random() < 0.25:
        what, data = of_bytes(random, source.read_bytes())
    else:
        what, tree = of_tree(random, tomllib.loads(source.read_text()), most=2)
        data = as_toml(tree)
    target.write_bytes(data)
    return what


def with_torch() -> None:
    """What takes seconds of the first input else."""
    import hwnas.train.configured
    import hwnas.train.finetune_networks
    import hwnas.train.progressive_shrinking  # noqa: F401


KIND = Kind("configurations", "TOML: search, run, supernet, finetune", _prepare, _mutate, short=6, ready=with_torch)
