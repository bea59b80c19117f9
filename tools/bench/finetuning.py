"""Does fine-tuning in the search pay? 0, 1 and 5 epochs of each evaluated network, at equal total seconds.

python -m tools.bench.finetuning --out runs/finetuning [--case digits|drawings] [--seconds 75 --networks 10 --final 6]

Both cases at once, a process and a thread each: about ten minutes on two cores. What is finished is not done again. For
each number of epochs, where the fine-tuning is the search's own (lr 0.02):

    kendall_tau   between the accuracy that a search sees (validation images and distorted copies) and the top-1 after
                  the final fine-tuning (test images and distorted copies), of the same random networks
    evaluations   of a search of so many seconds, for the most accurate network of at most the median multiply-adds
    top1          of the engine (ONNX Runtime, test images) of the network that it chose, after the final fine-tuning

One line of JSON a case, and the verdict in words.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import kendalltau

import hwnas
from hwnas.accuracy.supernet import SupernetAccuracy
from hwnas.data import Dataset, get_dataset
from hwnas.nets import Network, fold
from hwnas.onnx.writer import write_onnx
from hwnas.settings import build
from hwnas.space import Architecture, SearchSpace, get_space
from hwnas.train import SupernetConfig, train_supernet
from hwnas.train.defaults import supernet_defaults
from profilers.files import read_json, write_text
from profilers.proportions import wilson
from tools.bench.shared import run
from tools.bench.train import bootstrap

EPOCHS = (0, 1, 5)
VIEWS = 4  # distorted copies of each image
DRAWINGS = Path(__file__).resolve().parents[2] / "tests/drawings.py"
SPACES = {"digits": ("tiny", None), "drawings": ("tiny", [20, 24, 28])}
BEST = 3  # networks of each search that are trained to the end; the first is shipped


def main() -> None:
    """One case, or both in processes of their own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--case", choices=sorted(SPACES))
    parser.add_argument("--seconds", type=float, default=75.0, help="of each search")
    parser.add_argument("--supernet", type=float, default=90.0, help="seconds of its training, about")
    parser.add_argument("--networks", type=int, default=10, help="that Kendall's tau is of")
    parser.add_argument("--final", type=int, default=6, help="epochs of the final fine-tuning")
    parser.add_argument("--per-class", type=int, default=200, help="drawings")
    a = parser.parse_args()
    if a.case is None:
        commands = [[sys.executable, "-m", __spec__.name, "--case", case, *sys.argv[1:]] for case in SPACES]
        raise SystemExit(max(process.wait() for process in [subprocess.Popen(command) for command in commands]))
    torch.set_num_threads(1)
    result = Bench(case(a), a.out / a.case, a.seconds, a.networks, a.final).result()
    print(json.dumps({"case": a.case, **result}), verdict(a.case, result), sep="\n")


@dataclass(frozen=True)
class Case:
    """A supernet trained on a data set, by its files."""

    dataset: Dataset
    space: SearchSpace
    supernet: Path


def case(a: argparse.Namespace) -> Case:
    """Make the images and train the supernet, where they are not there."""
    folder = a.out / a.case
    reference = "digits" if a.case == "digits" else f"folder:{(folder / 'images').absolute()}"
    if a.case == "drawings" and not (folder / "images").exists():
        options = ["--per-class", str(a.per_class), "--size", "32"]
        subprocess.run([sys.executable, DRAWINGS, folder / "images", *options], check=True)
    name, resolutions = SPACES[a.case]
    dataset = get_dataset(reference)
    space = get_space(name, resolutions, dataset.classes)
    data: dict[str, Any] = {"space": name, "dataset": reference, "out": str(folder / "supernet.safetensors")}
    data |= {"resolutions": resolutions} if resolutions else {}
    settings = folder / "supernet.json"  # timed once, so that what is resumed is the same
    if not settings.exists():
        defaults = supernet_defaults(space, dataset.size("train"), initialised=False, seconds=a.supernet)
        write_text(settings, json.dumps(defaults))
    config = build(SupernetConfig, data | read_json(settings), "bench")
    train_supernet(config)
    return Case(dataset.with_channels(space.in_channels), space, config.out)


class Bench:
    """The measurements of one case; each is written when it is done."""

    def __init__(self, case: Case, folder: Path, seconds: float, networks: int, final: int) -> None:
        self.case, self.folder, self.seconds, self.networks, self.final = case, folder, seconds, networks, final
        self.file = folder / "measured.json"
        self.known: dict[str, Any] = read_json(self.file) if self.file.exists() else {}

    def once(self, key: str, make: Callable[[], Any]) -> Any:
        """What `make` gives, from the file where it has been done."""
        if key not in self.known:
            print(f"{self.folder.name}: {key}", file=sys.stderr)
            self.known[key] = make()
            write_text(self.file, json.dumps(self.known))
        return self.known[key]

    def result(self) -> dict[str, Any]:
        """All of it."""
        by_epochs = {str(epochs): self.ranks(epochs) | self.search(epochs) for epochs in EPOCHS}
        sizes = {split: self.case.dataset.size(split) for split in ("train", "val", "test")}
        asked = {"networks": self.networks, "search_seconds": self.seconds, "final_epochs": self.final}
        return {"space": self.case.space.name, "images": sizes, **asked, "epochs": by_epochs}

    # --- accuracies ----------------------------------------------------------------------------------------------

    def source(self, epochs: int) -> SupernetAccuracy:
        """What a search with so many epochs asks."""
        return SupernetAccuracy(self.case.supernet, self.case.space, views=VIEWS, finetune_epochs=epochs, device="cpu")

    def trained(self, arch: Architecture) -> tuple[Network, float]:
        """A network after the final fine-tuning, and its top-1 over test images and their copies."""
        options: dict[str, Any] = {"finetune_epochs": self.final, "finetune_lr": 0.05, "device": "cpu"}
        source = SupernetAccuracy(self.case.supernet, self.case.space, split="test", views=VIEWS, **options)
        network = source.network(arch)
        return network, source.judge(network)

    def truth(self, arch: Architecture) -> float:
        """What a search should rank by."""
        return self.trained(arch)[1]

    def ranks(self, epochs: int) -> dict[str, Any]:
        """Kendall's tau with the truth, and what an evaluation takes."""
        archs = self.case.space.decode(self.case.space.sample(self.networks, np.random.default_rng(24)))
        source = self.source(epochs)
        truth = [self.once(f"truth {arch.id}", partial(self.truth, arch)) for arch in archs]
        seen = [self.once(f"{epochs} epochs {arch.id}", partial(timed, source, arch)) for arch in archs]
        x, y = np.array([top1 for top1, _ in seen]), np.array(truth)
        return {
            "kendall_tau": round(float(kendalltau(x, y).statistic), 3),
            "interval_95": bootstrap(lambda i: kendalltau(x[i], y[i]).statistic, len(archs)),
            "seconds_each": round(float(np.median([seconds for _, seconds in seen])), 3),
        }

    # --- searches ------------------------------------------------------------------------------------------------

    def search(self, epochs: int) -> dict[str, Any]:
        """A search of so many seconds, and what becomes of its best networks."""
        told = self.once(f"search {epochs}", lambda: self.searched(epochs))
        best = sorted((row for row in told if row["madds"] <= self.budget), key=lambda row: -row["top1"])[:BEST]
        finals = [self.once(f"final {row['id']}", partial(self.finished, row["arch"])) for row in best]
        low, high = wilson(finals[0], self.case.dataset.size("test"))
        return {
            "evaluations": len(told),
            "seen_top1": round(best[0]["top1"], 2),
            "top1": round(finals[0], 2),
            "wilson_95": [round(low, 2), round(high, 2)],
            "mean_top1_of_best": round(float(np.mean(finals)), 2),
            "madds": best[0]["madds"],
        }

    @property
    def budget(self) -> float:
        """The median multiply-adds of random networks."""
        archs = self.case.space.decode(self.case.space.sample(1001, np.random.default_rng(0)))
        return float(np.median([self.madds(arch) for arch in archs]))

    def madds(self, arch: Architecture) -> int:
        """Multiply-adds of one image."""
        return sum(layer.madds for layer in self.case.space.layers(arch))

    def searched(self, epochs: int) -> list[dict[str, Any]]:
        """Every network that was evaluated within the seconds, the surrogate's time among them."""
        source = self.source(epochs)
        told: list[dict[str, Any]] = []
        each = float(np.median([self.known[key][1] for key in self.known if key.startswith(f"{epochs} epochs ")]))
        initial = int(np.clip(self.seconds / each / 2, 8, 60))
        options: dict[str, Any] = {"space": self.case.space, "objectives": ["top1", "madds"]}
        options |= {"budget": {"madds": self.budget}, "initial": initial, "iterations": 10_000, "per_iteration": 8}
        with hwnas.open_search(**options, out=self.folder / f"search-{epochs}", fresh=True) as search:
            start = time.perf_counter()
            while time.perf_counter() - start < self.seconds:
                (network,) = search.ask(1)
                arch = self.case.space.parse(network.to_json())
                top1 = source.evaluate(arch)
                if time.perf_counter() - start > self.seconds and told:
                    break  # it came too late
                search.tell(network, top1=top1)
                told.append({"id": arch.id, "arch": arch.to_json(), "top1": top1, "madds": self.madds(arch)})
        return told

    def finished(self, arch: dict[str, Any]) -> float:
        """Top-1 of the engine on the test images, after the final fine-tuning."""
        import onnxruntime

        network, _ = self.trained(found := self.case.space.parse(arch))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        model = write_onnx(network.specs, fold(network), batch=None)
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        right = 0
        for images, labels in self.case.dataset.batches("test", found.r, 64):
            (logits,) = session.run(None, {"input": images.numpy()})
            right += int((logits.argmax(1) == labels.numpy()).sum())
        return 100 * right / self.case.dataset.size("test")


def timed(source: SupernetAccuracy, arch: Architecture) -> tuple[float, float]:
    """Top-1 in percent, and the seconds that it took."""
    start = time.perf_counter()
    top1 = source.evaluate(arch)
    return top1, time.perf_counter() - start


def verdict(name: str, result: dict[str, Any]) -> str:
    """Whether fine-tuning in the search pays, in words."""
    rows = {int(epochs): row for epochs, row in result["epochs"].items()}
    best = max(rows, key=lambda epochs: (rows[epochs]["top1"], -epochs))
    plain, other = rows[0], rows[best]
    parts = [
        f"{e} epochs: tau {r['kendall_tau']}, {r['evaluations']} evaluations, {r['top1']} %" for e, r in rows.items()
    ]
    if best == 0:
        text = "it does not pay"
    elif other["wilson_95"][0] <= plain["top1"]:
        text = f"no difference can be told ({best} epochs lead by {other['top1'] - plain['top1']:.2f} points)"
    else:
        text = f"it pays: {best} epochs lead by {other['top1'] - plain['top1']:.2f} points"
    return f"{name}: {text}; {'; '.join(parts)}"


if __name__ == "__main__":
    run(main)
