"""Configurations of training; every key can stand in the TOML file of `hwnas train`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Interval, MinLen

from hwnas.settings import Resolutions
from profilers.constraints import NotNegative, OneOf, Seed, Share, Text
from profilers.errors import BadInput
from profilers.refusals import Refusals
from profilers.validation import check_fields

DEVICES = ("auto", "cpu", "cuda")  # auto: a GPU where there is one
PRECISIONS = ("fp32", "bf16", "fp16")  # of the products; weights and their updates are always fp32
Choices = Annotated[int, Interval(ge=0, le=100)]
Epochs = Annotated[int, Interval(ge=1, le=10**6)]
Steps = Annotated[int, Interval(ge=1, le=10**8)]
Threads = Annotated[int, Interval(ge=0, le=1024)]
Device = Annotated[str, OneOf(DEVICES)]


def _check_length(config: Phase | FinetuneConfig, what: str) -> None:
    if config.epochs is not None and config.steps is not None:
        raise BadInput(f"{what} of both epochs = {config.epochs} and steps = {config.steps}", "one of them")


@dataclass(frozen=True)
class Phase:
    """One phase of progressive shrinking: how many of the largest choices are allowed (0 is all of them)."""

    name: Text
    """What the progress bar and the history call it."""
    epochs: Epochs | None = None
    """Passes over the training images; or `steps`, which does not depend on how many images there are."""
    lr: NotNegative = 0.1
    """Learning rate after the warm-up."""
    networks: Annotated[int, Interval(ge=1, le=100)] = 1
    """Networks that are trained on each batch."""
    kernels: Choices = 1
    """The largest kernel sizes that are allowed; 0: all."""
    depths: Choices = 1
    """The largest depths that are allowed; 0: all."""
    expands: Choices = 1
    """The largest expansion ratios that are allowed; 0: all."""
    ops: Choices = 0
    """The last kinds of layer that are allowed, where the space has ops; 0: all."""
    resolutions: Choices = 1
    """The largest resolutions that are allowed; 0: all."""
    sandwich: bool = False
    """Whether the phase's largest and smallest network are among those of each batch."""
    steps: Steps | None = None
    """Updates of the weights."""
    head: bool = False
    """Whether only the classifier learns, as it is new where `init` is of other classes."""

    def __post_init__(self) -> None:
        check_fields(self)

    def rules(self, found: Refusals) -> None:
        """One length."""
        with found.collect():
            _check_length(self, f"phase {self.name!r}")
            if self.epochs is None and self.steps is None:
                raise BadInput(f"phase {self.name!r} without steps", "steps = N, or epochs = N")


@dataclass(frozen=True)
class Recipe:
    """Optimisation: SGD with Nesterov momentum, cosine learning rate with a linear warm-up."""

    batch: Annotated[int, Interval(ge=2, le=10**6)] = 64
    """Images of a batch, of all processes together."""
    momentum: Share = 0.9
    """Nesterov momentum."""
    weight_decay: NotNegative = 3e-5
    """L2 penalty of convolutions and linear layers."""
    warmup: Share = 0.05
    """Share of the steps in which the learning rate rises linearly."""
    label_smoothing: Share = 0.1
    """Probability that is taken from the label and given to all classes."""
    distill: NotNegative = 1.0
    """Weight of the cross-entropy with the teacher's probabilities, beside that with the labels."""
    dropout: Share = 0.0
    """In front of the classifier."""
    precision: Annotated[str, OneOf(PRECISIONS)] = "fp32"
    """Of the products; weights and their updates are always fp32."""
    class_weights: bool = False
    """Whether an image counts the more, the fewer its class has; for classes of very different size."""

    def __post_init__(self) -> None:
        check_fields(self)


_LEAST_ALPHA, _MOST_ALPHA = 1e-3, 1e3  # beyond, single precision knows no such Beta distribution


@dataclass(frozen=True)
class Regularise:
    """What many epochs of one network need against overfitting; all of it is off by default."""

    randaugment: Annotated[int, Interval(ge=0, le=100)] = 0
    """Operations on each image."""
    magnitude: Annotated[int, Interval(ge=0, le=30)] = 9
    """Strength of these operations."""
    mixup: NotNegative = 0.0
    """Alpha of the Beta distribution that two images of a batch are mixed by: 0 for none, or 0.001 to 1000."""
    cutmix: NotNegative = 0.0
    """The same for pasting a rectangle of one into the other; with both, each batch takes one at random."""
    drop_connect: Annotated[float, Interval(ge=0, le=0.9)] = 0.0
    """Probability that the last residual branch is left out; it falls linearly towards the first."""
    ema: Annotated[float, Interval(ge=0, le=0.999999)] = 0.0
    """Decay of the average of all steps' weights, which is what is kept."""

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("mixup", "cutmix"):
            if (alpha := getattr(self, name)) and not _LEAST_ALPHA <= alpha <= _MOST_ALPHA:
                raise BadInput(f"{name} = {alpha:g}", f"0, or {_LEAST_ALPHA:g} to {_MOST_ALPHA:g}")


# Tuned on `tiny` and digits (a minute and a half of one core); larger data wants its own, see `hwnas.train.defaults`.
SHRINKING = (
    Phase("largest", lr=0.2, resolutions=0, steps=448),
    Phase("kernel", lr=0.15, networks=2, resolutions=0, kernels=0, steps=96),
    Phase("depth", lr=0.15, networks=2, resolutions=0, kernels=0, depths=0, steps=96),
    Phase("expand", lr=0.15, networks=2, resolutions=0, kernels=0, depths=0, expands=0, steps=832),
)


@dataclass(frozen=True)
class SupernetConfig:
    """`hwnas train supernet`. Paths are relative to the file."""

    space: Text
    """The search space: the name of one, FILE.toml, or python:module:NAME."""
    dataset: str
    """Data set: digits, NAME:FOLDER or folder:FOLDER."""
    out: Path
    """The supernet's file, ending in .safetensors."""
    resolutions: Resolutions | None = None
    """Pixels of the images; by default the space's."""
    seed: Seed = 0
    """Of the weights, the order of the images and the networks that are drawn."""
    threads: Threads = 1
    """Of torch; 0 leaves its default, one is fastest for small images."""
    device: Device = "auto"
    """What computes; auto takes a GPU where there is one."""
    recipe: Recipe = Recipe()
    """Optimisation."""
    phases: Annotated[tuple[Phase, ...], MinLen(1)] = SHRINKING
    """Phases of progressive shrinking, in order.

    By default 1472 steps, tuned on digits and the same for any number of images: the phases are part of what a
    supernet is known by, so others would have files of before trained anew. A recipe scales its phases to the images.
    """
    init: Path | None = None
    """A supernet whose weights are begun with, ours or once-for-all's; without its classifier if classes differ."""
    definition: dict[str, Any] | None = None
    """The space in plain values, where it is not a built-in one; hwnas fills it in."""

    def __post_init__(self) -> None:
        check_fields(self)

    def to_json(self) -> dict[str, Any]:
        """What the weights depend on beside those of `init`: all but where they go and what computes them."""
        return _without(self, "out", "init", "threads", "device")


@dataclass(frozen=True)
class FinetuneConfig:
    """`hwnas train finetune`: chosen networks on from the supernet's weights, or from random ones.

    One file ID.safetensors a network goes into the folder `out`. The resolution is the architecture's. A supernet of
    another number of classes gives all weights but the classifier's. Paths are relative to the file.
    """

    dataset: str
    """Data set: digits, NAME:FOLDER or folder:FOLDER."""
    archs: Path
    """The networks, JSON lines, as `hwnas select` prints them."""
    out: Path
    """Folder of the networks' files."""
    supernet: Path | None = None
    """The supernet's file; without one the weights are random."""
    space: Text | None = None
    """The space, as for a supernet; needed without one, or for once-for-all's files of a space of your own."""
    resolutions: Resolutions | None = None
    """Pixels that the space has; by default the supernet's."""
    teacher: bool = False
    """Whether the supernet's largest network is distilled from."""
    epochs: Epochs | None = None
    """Passes of each network over the training images; or `steps`, which does not depend on how many there are."""
    steps: Steps | None = None
    """Updates of each network's weights; without either, as many as suit the number of images."""
    lr: NotNegative = 0.05
    """Learning rate after the warm-up."""
    seed: Seed = 0
    """Of the order of the images, and of random weights."""
    threads: Threads = 1
    """Of torch; 0 leaves its default."""
    device: Device = "auto"
    """What computes; auto takes a GPU where there is one."""
    recipe: Recipe = Recipe()
    """Optimisation."""
    regularise: Regularise = Regularise()
    """Against overfitting."""
    patience: Annotated[int, Interval(ge=0, le=10**6)] = 0
    """Passes without better validation accuracy that end training, in the best weights; 0: off. Best a third of all."""
    models: tuple[Text, ...] = ()
    """Known networks of torchvision beside them, by the same recipe: NAME, of torchvision's cache, or NAME=FILE."""
    models_size: Annotated[int, Interval(ge=8, le=4096)] | None = None
    """Pixels of the known networks' images; by default the most of the others."""
    definition: dict[str, Any] | None = None
    """The space in plain values, where it is not a built-in one; hwnas fills it in."""

    def __post_init__(self) -> None:
        check_fields(self)

    def rules(self, found: Refusals) -> None:
        """One length; weights come from somewhere."""
        with found.collect():
            _check_length(self, "fine-tuning")
        with found.collect():
            if self.supernet is None and self.space is None:
                raise BadInput("neither supernet nor space", "supernet = FILE, or space = NAME for random weights")
        with found.collect():
            if self.teacher and self.supernet is None:
                raise BadInput("teacher without supernet", "supernet = FILE")

    def to_json(self) -> dict[str, Any]:
        """What a network's weights depend on beside its architecture and the supernet's weights."""
        return _without(self, "archs", "out", "models", "models_size", "supernet", "threads", "device")


def _without(config: SupernetConfig | FinetuneConfig, *names: str) -> dict[str, Any]:
    """Plain values of all fields but those; a built-in space's definition is in no file of before."""
    left_out = names if config.definition is not None else (*names, "definition")
    return {k: v for k, v in asdict(config).items() if k not in left_out}
