"""Whether a network's accuracy depends on the order in which its training images are listed: it must not.

    python -m tools.bench.order [--out /tmp/order] [--networks 16]

Two data sets of scikit-learn's digits in folders by class: three classes of 60 noisy images, and all ten. A supernet is
trained on each; then its networks are validated with the training images listed class by class, reversed, at random,
and class by class under other file names. One line of JSON for each, and the verdict.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_digits

from hwnas.accuracy.supernet import SupernetAccuracy
from hwnas.space import get_space
from hwnas.train import Phase, Recipe, SupernetConfig, train_supernet
from tools.bench.shared import run

RESOLUTIONS = (12, 16)
CLOSE = 0.3  # points of top-1
PARTS = {"train": 60.0, "val": 60.0, "test": 40.0}  # images a class, of three classes
SHARES = {"train": 0.56, "val": 0.22, "test": 0.22}  # of all ten
SMALL = ("3", "5", "8")


def write_digits(root: Path, classes: tuple[str, ...], noise: float, share: dict[str, float], rename: int = 0) -> str:
    """Folders by split and class; `rename` draws other file names. Returns the reference of the data set."""
    raw, rng, names = load_digits(), np.random.default_rng(0), np.random.default_rng(rename)
    for label in classes:
        members = np.flatnonzero(raw.target == int(label))
        ends = np.cumsum([round(part * len(members)) if part <= 1 else int(part) for part in share.values()])
        for split, indices in zip(share, np.split(members, ends), strict=False):
            order = names.permutation(len(indices)) if rename else np.arange(len(indices))
            for number, i in zip(order, indices, strict=True):
                light = 1.5 * noise * (classes.index(label) + rng.standard_normal())  # classes differ in brightness too
                pixels = raw.images[i] / 16 * (1 - noise) + noise * rng.standard_normal((8, 8)) + light
                path = root / split / label / f"{number:04}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                grey = Image.fromarray((255 * pixels.clip(0, 1)).astype(np.uint8))
                grey.resize((32, 32), Image.Resampling.BICUBIC).save(path)
    return f"folder:{root}?channels=1"


def orders(labels: np.ndarray[Any, Any]) -> Iterator[tuple[str, Any]]:
    """Names and permutations of the listing."""
    yield "class by class", np.arange(len(labels))
    yield "reversed", np.arange(len(labels))[::-1]
    for seed in range(2):
        yield f"at random, {seed}", np.random.default_rng(seed).permutation(len(labels))


def reorder(source: SupernetAccuracy, order: Any) -> None:
    """List the training images of a folder otherwise."""
    data: Any = source.dataset
    data._files["train"] = [data._files["train"][i] for i in order]
    data._labels["train"] = data._labels["train"][torch.from_numpy(order.copy())]


def bench(name: str, out: Path, networks: int, epochs: int, write: Callable[[Path, int], str]) -> bool:
    """One data set; whether all orders agree."""
    dataset, path = write(out / name, 0), out / f"{name}.safetensors"
    train(dataset, path, epochs)
    space = get_space("tiny", RESOLUTIONS, 3 if name == "three" else 10)
    archs = space.decode(space.sample(networks, np.random.default_rng(1)))

    def top1(reference: str, order: Any = None) -> np.ndarray[Any, Any]:
        source = SupernetAccuracy(path, space, dataset=reference, views=0)
        if order is not None:
            reorder(source, order)
        return np.array([source.evaluate(arch) for arch in archs])

    labels = SupernetAccuracy(path, space, dataset=dataset).dataset.labels("train").numpy()
    found = {order: top1(dataset, indices) for order, indices in orders(labels)}
    found |= {f"other names, {n}": top1(write(out / f"{name}-{n}", n)) for n in (1, 2)}
    return agree(name, found)


def train(dataset: str, path: Path, epochs: int) -> None:
    """A supernet of two phases."""
    phases = (Phase("largest", epochs, 0.2, resolutions=0), Phase("all", epochs, 0.15, 2, 0, 0, 0, 0))
    config = SupernetConfig("tiny", dataset, path, RESOLUTIONS, recipe=Recipe(batch=64), phases=phases)
    train_supernet(config, resume=True)


def agree(name: str, found: dict[str, np.ndarray[Any, Any]]) -> bool:
    """Print top-1 by order; whether their means are close."""
    for order, top1 in found.items():
        rounded = [round(float(x), 1) for x in top1]
        line = {"data": name, "order": order, "mean_top1": round(float(top1.mean()), 2), "top1": rounded}
        print(json.dumps(line), flush=True)
    means = [float(x.mean()) for x in found.values()]
    print(json.dumps({"data": name, "range_of_means": round(max(means) - min(means), 2)}), flush=True)
    return max(means) - min(means) <= CLOSE


def main() -> None:
    """Both data sets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("/tmp/order"))
    parser.add_argument("--networks", type=int, default=16)
    args = parser.parse_args()
    ten = tuple("0123456789")
    good = [
        bench("three", args.out, args.networks, 40, lambda d, n: write_digits(d, SMALL, 0.2, PARTS, n)),
        bench("ten", args.out, args.networks, 15, lambda d, n: write_digits(d, ten, 0.0, SHARES, n)),
    ]
    print(json.dumps({"bench": "order", "passed": all(good)}))


if __name__ == "__main__":
    run(main)
