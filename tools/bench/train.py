"""How fast a supernet trains beside once-for-all's own step, and what its inherited accuracies are worth.

python -m tools.bench.train throughput [--space mbv3 --resolution 160 --batch 32 --rounds 8]
python -m tools.bench.train tau --out runs/tau [--networks 24 --epochs 20]      resumes the supernet's training

One line of JSON each. One thread; both sides of a comparison take turns, and their CPU time is what counts.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import kendalltau

from hwnas.accuracy.supernet import SupernetAccuracy
from hwnas.data import Augmentation, MemoryDataset, get_dataset
from hwnas.nets import Network
from hwnas.settings import build, read_toml
from hwnas.space import Architecture, SearchSpace, get_space
from hwnas.train import FinetuneConfig, SupernetConfig, train_supernet
from hwnas.train.config import SHRINKING, Phase, Recipe
from hwnas.train.distributed import Group
from hwnas.train.elastic import Elastic
from hwnas.train.one_network import finetune
from hwnas.train.progressive_shrinking import SupernetRun
from profilers.progress import track
from tools.bench.plain_ofa import PlainStep
from tools.bench.shared import run

ELASTIC = Phase("expand", 1, 0.1, resolutions=0, kernels=0, depths=0, expands=0)  # once-for-all's last: all choices
CONFIG = Path(__file__).resolve().parent / "supernet.toml"
RESAMPLES = 2000


def main() -> None:
    """Run one benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    speed = commands.add_parser("throughput")
    speed.add_argument("--space", default="mbv3")
    speed.add_argument("--resolution", type=int, default=160)
    speed.add_argument("--batch", type=int, default=32)
    speed.add_argument("--rounds", type=int, default=8)
    speed.add_argument("--steps", type=int, default=2, help="of each side in a round")
    speed.add_argument("--teacher", action=argparse.BooleanOptionalAction, default=True)
    rank = commands.add_parser("tau")
    rank.add_argument("--out", type=Path, required=True)
    rank.add_argument("--networks", type=int, default=24)
    rank.add_argument("--epochs", type=int, default=20)
    rank.add_argument("--seeds", type=int, default=3, help="of the networks trained alone")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(json.dumps(throughput(arguments) if arguments.command == "throughput" else tau(arguments)))


# --- images per second -------------------------------------------------------------------------------------------


def throughput(a: argparse.Namespace) -> dict[str, Any]:
    """Images a second of both steps on the same random networks and images, and the ratio with its interval."""
    space = get_space(a.space, [a.resolution])
    rng = np.random.default_rng(0)
    ours, plain = steps(space, Recipe(batch=a.batch), a.teacher)
    images = torch.from_numpy(rng.standard_normal((a.batch, space.in_channels, a.resolution, a.resolution)))
    images, labels = images.float(), torch.from_numpy(rng.integers(0, space.classes, a.batch))
    elastic = Elastic.of(space, ELASTIC)
    seconds: dict[str, list[float]] = {"ours": [], "plain": []}
    with track(a.rounds + 1, "rounds") as bar:
        for number in range(a.rounds + 1):
            archs = [elastic.sample(rng, a.resolution) for _ in range(a.steps)]
            for name, step in (("ours", ours), ("plain", plain)):
                start = time.process_time()  # of one thread: waiting for a busy machine does not count
                for arch in archs:
                    step(images, labels, [arch], 1e-3)
                if number:  # the first warms up
                    seconds[name].append(time.process_time() - start)
            bar.advance()
    rate = {name: round(a.batch * a.steps * len(s) / sum(s), 2) for name, s in seconds.items()}
    ratios = np.array(seconds["plain"]) / np.array(seconds["ours"])
    return {
        "space": a.space,
        "resolution": a.resolution,
        "batch": a.batch,
        "teacher": a.teacher,
        "threads": 1,
        "networks": a.rounds * a.steps,
        "images_per_cpu_second": rate,
        "ratio": round(float(np.median(ratios)), 3),
        "interval_95": bootstrap(lambda i: np.median(ratios[i]), len(ratios)),
    }


Step = Callable[[torch.Tensor, torch.Tensor, list[Architecture], float], Any]


def steps(space: SearchSpace, recipe: Recipe, teacher: bool) -> tuple[Step, Step]:
    """Our training step and the plain one, with the same weights."""
    noise = np.zeros((2 * recipe.batch, space.in_channels, 8, 8), np.float32)
    labels = np.arange(len(noise)) % space.classes
    labels[0] = space.classes - 1
    halves = np.arange(len(noise))
    dataset = MemoryDataset("noise", noise, labels, {"train": halves, "val": halves}, Augmentation())
    config = SupernetConfig(space.name, "noise", Path("unused"), space.resolutions, recipe=recipe, phases=(ELASTIC,))
    run = SupernetRun(config, dataset, Group())
    plain = copy.deepcopy(run.supernet).to(memory_format=torch.contiguous_format)
    run.supernet.train()
    run.teacher = run.largest() if teacher else None
    return run.train_step, PlainStep(plain, copy.deepcopy(plain) if teacher else None, recipe)


# --- what inherited accuracies are worth ------------------------------------------------------------------------------


def tau(a: argparse.Namespace) -> dict[str, Any]:
    """Kendall's tau between inherited and fine-tuned accuracy; the extremes beside the same networks trained alone."""
    data = read_toml(CONFIG, [f"out={a.out / 'supernet.safetensors'}"])
    config = build(SupernetConfig, data, str(CONFIG))
    start = time.perf_counter()
    supernet, provenance = train_supernet(config, resume=True)
    trained = time.perf_counter() - start
    result = {"supernet_seconds_now": round(trained, 1), "history": provenance.training["history"]}
    result |= ranks(config, supernet.space, a.networks, a.epochs)
    result["alone"] = [alone(config, arch, a.seeds) for arch in extremes(supernet.space)]
    (a.out / "tau.json").write_text(json.dumps(result, indent=2) + "\n")
    return result


def ranks(config: SupernetConfig, space: SearchSpace, networks: int, epochs: int) -> dict[str, Any]:
    """Both accuracies of random networks, on validation images and the data set's distorted copies of them."""
    archs = space.decode(space.sample(networks, np.random.default_rng(24)))
    lr = FinetuneConfig("digits", Path(), Path(), space="tiny").lr
    inherited = SupernetAccuracy(config.out, space)
    tuned = SupernetAccuracy(config.out, space, finetune_epochs=epochs, finetune_lr=lr)
    pairs = []
    with track(networks, f"fine-tuning networks for {epochs} epochs") as bar:
        for arch in archs:
            pairs.append((inherited.evaluate(arch), tuned.evaluate(arch)))
            bar.advance()
    x, y = np.array(pairs).T
    return {
        "networks": networks,
        "epochs": epochs,
        "lr": lr,
        "kendall_tau": round(float(kendalltau(x, y).statistic), 3),
        "interval_95": bootstrap(lambda i: kendalltau(x[i], y[i]).statistic, networks),
        "images": "validation images and 4 distorted copies of each",
        "inherited": x.tolist(),
        "fine_tuned": y.tolist(),
    }


def extremes(space: SearchSpace) -> list[Architecture]:
    """The largest network at the largest resolution and the smallest at the smallest."""
    small, large = space.resolutions[0], space.resolutions[-1]
    return [space.extremes(large)[1], space.extremes(small)[0]]


def alone(config: SupernetConfig, arch: Architecture, seeds: int) -> dict[str, Any]:
    """Validation accuracy with inherited weights, and trained alone as many epochs as the supernet had."""
    steps, lr = sum(phase.steps or 0 for phase in SHRINKING), SHRINKING[0].lr
    dataset = get_dataset(config.dataset)
    space = get_space(config.space, config.resolutions, dataset.classes)
    judge = SupernetAccuracy(config.out, space)
    found = []
    for seed in range(seeds):
        network = Network(space.layers(arch), arch, seed=seed)
        finetune(network, dataset, steps=steps, lr=lr, recipe=config.recipe, seed=seed)
        found.append(judge.validate(network))
    return {
        "arch": arch.to_json(),
        "inherited": judge.evaluate(arch),
        "alone": found,
        "alone_mean": float(np.mean(found)),
        "steps_alone": steps,
        "steps_supernet": steps,
        "of_them_largest_only": SHRINKING[0].steps,
    }


def bootstrap(statistic: Callable[[np.ndarray], float], n: int) -> list[float]:
    """95 % percentile interval over resamples of n items."""
    rng = np.random.default_rng(0)
    values = [statistic(rng.integers(0, n, n)) for _ in range(RESAMPLES)]
    return [round(float(v), 3) for v in np.nanpercentile(values, [2.5, 97.5])]


if __name__ == "__main__":
    run(main)
