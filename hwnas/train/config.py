"""Configurations of training; every key can stand in the TOML file of `hwnas train`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hwnas.settings import check_choice, check_range
from profilers.errors import BadInput

DEVICES = ("auto", "cpu", "cuda")  # auto: a GPU where there is one
PRECISIONS = ("fp32", "bf16", "fp16")  # of the products; weights and their updates are always fp32


@dataclass(frozen=True)
class Phase:
    """One phase of progressive shrinking: how many of the largest choices are allowed (0 is all of them).

    `networks` are trained on each batch; with `sandwich` the phase's largest and smallest are among them.
    """

    name: str
    epochs: int
    lr: float
    networks: int = 1
    kernels: int = 1
    depths: int = 1
    expands: int = 1
    resolutions: int = 1
    sandwich: bool = False

    def __post_init__(self) -> None:
        choices = dict.fromkeys(("kernels", "depths", "expands", "resolutions"), 0)
        check_range(self, {"epochs": 1, "lr": 0, "networks": 1} | choices)


@dataclass(frozen=True)
class Recipe:
    """Optimisation: SGD with Nesterov momentum, cosine learning rate with a linear warm-up (a fraction of the steps).

    `batch` counts the images of all processes together. `distill` weighs the cross-entropy with the teacher's
    probabilities beside that with the (smoothed) labels.
    """

    batch: int = 64
    momentum: float = 0.9
    weight_decay: float = 3e-5
    warmup: float = 0.05
    label_smoothing: float = 0.1
    distill: float = 1.0
    dropout: float = 0.0
    precision: str = "fp32"

    def __post_init__(self) -> None:
        ones = {"momentum": 1.0, "warmup": 1.0, "label_smoothing": 1.0, "dropout": 1.0}
        check_range(self, {"batch": 2, "weight_decay": 0, "distill": 0} | dict.fromkeys(ones, 0.0), ones)
        check_choice("precision", self.precision, PRECISIONS)


@dataclass(frozen=True)
class Regularise:
    """What many epochs of one network need against overfitting; all of it is off by default.

    Args:
        randaugment: operations on each image, of strength `magnitude` (0 to 30).
        mixup: alpha of the Beta distribution that two images of a batch are mixed by.
        cutmix: the same for pasting a rectangle of one into the other; with both, each batch takes one at random.
        drop_connect: probability that the last residual branch is left out; it falls linearly towards the first.
        ema: decay of the average of all steps' weights, which is what is kept.
    """

    randaugment: int = 0
    magnitude: int = 9
    mixup: float = 0.0
    cutmix: float = 0.0
    drop_connect: float = 0.0
    ema: float = 0.0

    def __post_init__(self) -> None:
        most = {"magnitude": 30, "drop_connect": 0.9, "ema": 0.999999}
        least = dict.fromkeys(("randaugment", "magnitude", "mixup", "cutmix", "drop_connect", "ema"), 0)
        check_range(self, least, most)


# Tuned on `tiny` and digits (a minute and a half of one core); larger data wants its own phases, as once-for-all's.
SHRINKING = (
    Phase("largest", 28, 0.2, resolutions=0),
    Phase("kernel", 6, 0.15, 2, resolutions=0, kernels=0),
    Phase("depth", 6, 0.15, 2, resolutions=0, kernels=0, depths=0),
    Phase("expand", 52, 0.15, 2, resolutions=0, kernels=0, depths=0, expands=0),
)


@dataclass(frozen=True)
class SupernetConfig:
    """`hwnas train supernet`; `threads` are torch's (0 leaves its default, one is fastest for small images)."""

    space: str
    dataset: str
    out: Path
    resolutions: tuple[int, ...] | None = None
    seed: int = 0
    threads: int = 1
    device: str = "auto"
    recipe: Recipe = Recipe()
    phases: tuple[Phase, ...] = SHRINKING

    def __post_init__(self) -> None:
        check_range(self, {"seed": 0, "threads": 0})
        check_choice("device", self.device, DEVICES)
        if not self.phases:
            raise BadInput("no phases", "one or more [[phases]]")

    def to_json(self) -> dict[str, Any]:
        """What the weights depend on: all but where they go and what computes them."""
        return {k: v for k, v in asdict(self).items() if k not in ("out", "threads", "device")}


@dataclass(frozen=True)
class FinetuneConfig:
    """`hwnas train finetune`: the networks of `archs` (JSONL) on from the supernet's weights, or from random ones.

    One file ID.safetensors a network goes into the folder `out`. The resolution is the architecture's. With `teacher`
    the supernet's largest network is distilled from. A supernet of another number of classes gives all weights but
    the classifier's. `space` is needed without a supernet, or with one of once-for-all's published files.
    """

    dataset: str
    archs: Path
    out: Path
    supernet: Path | None = None
    space: str | None = None
    resolutions: tuple[int, ...] | None = None
    teacher: bool = False
    epochs: int = 20
    lr: float = 0.05
    seed: int = 0
    threads: int = 1
    device: str = "auto"
    recipe: Recipe = Recipe()
    regularise: Regularise = Regularise()

    def __post_init__(self) -> None:
        check_range(self, {"epochs": 1, "lr": 0, "seed": 0, "threads": 0})
        check_choice("device", self.device, DEVICES)
        if self.supernet is None and self.space is None:
            raise BadInput("neither supernet nor space", "supernet = FILE, or space = NAME for random weights")
        if self.teacher and self.supernet is None:
            raise BadInput("teacher without supernet", "supernet = FILE")

    def to_json(self) -> dict[str, Any]:
        """What a network's weights depend on beside its architecture and the supernet's weights."""
        left_out = ("archs", "out", "supernet", "threads", "device")
        return {k: v for k, v in asdict(self).items() if k not in left_out}
