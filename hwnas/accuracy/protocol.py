"""How networks of a supernet are evaluated on one's own images in a given time: with or without fine-tuning.

    inherited   the supernet has these classes: inherit, recalibrate, validate
    finetuned   the paper's protocol for other classes: a new classifier, and 5 epochs of fine-tuning for each network
    head        no fine-tuning, but a supernet of these classes: trained from the given one (`init`), its classifier
                first; the networks are then evaluated as inherited

Both ways are `accuracy = "supernet:CKPT"`: `Protocol.options` are the keys of [evaluate]. Seconds are estimated from a
few timed images of an average network: N images cost N a forward pass, in training about three times that.
Source: NSGANetV2, section 4 (5 epochs of each network where the data set is not the supernet's).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from hwnas.data import BatchRequest, Dataset
from hwnas.nets import Network
from hwnas.space import Architecture, SearchSpace
from hwnas.train.evaluate import CALIBRATION
from hwnas.train.optimise import torch_threads
from profilers.errors import check_least

EPOCHS = 5  # the paper's
HEAD_IMAGES = 100 * 64  # a new classifier is trained on at least so many, repeats included
_TIMED, _RUNS, _SAMPLED = 16, 3, 33  # images, of which the quickest run counts; networks of which the middle is timed
_NAMES = {"inherited": "without fine-tuning", "head": "without fine-tuning, by a supernet with a trained head"}


@dataclass(frozen=True)
class Pace:
    """Seconds an image of an average network: in training, in evaluation, and to prepare one."""

    training: float
    evaluation: float
    preparation: float = 0.0


@dataclass(frozen=True)
class Protocol:
    """How each network is evaluated.

    kind       "inherited", "finetuned" or "head"
    epochs     of fine-tuning of each network
    seconds    that the evaluations take, estimated
    training   seconds that are left for training a supernet with a new head ("head" alone)
    fits       whether that is within the time given
    reason     why this one, with the seconds, in words
    """

    kind: str
    epochs: int
    seconds: float
    training: float
    fits: bool
    reason: str

    @property
    def options(self) -> dict[str, Any]:
        """Keys of [evaluate]."""
        return {"finetune_epochs": self.epochs} if self.epochs else {}

    def __str__(self) -> str:
        return self.reason


def choose(
    space: SearchSpace,
    dataset: Dataset,
    evaluations: int,
    seconds: float,
    *,
    classes: int | None = None,
    pace: Pace | None = None,
    threads: int = 1,
) -> Protocol:
    """The most that the time allows.

    Args:
        space: that is searched.
        dataset: one's own images.
        evaluations: networks that the search evaluates.
        seconds: for all of them, and for training a head where that is the way.
        classes: of the supernet; by default those of the images. Its classifier serves if they are as many.
        pace: what an image costs; by default a few are timed, which takes about a second.
        threads: torch's.
    """
    check_least(1, evaluations=evaluations)
    check_least(0, seconds=seconds)
    pace = pace or timed(space, dataset, threads)
    plain, tuned = (evaluations * network_seconds(dataset, pace, epochs) for epochs in (0, EPOCHS))
    if classes in (None, dataset.classes):
        return _plain("inherited", evaluations, plain, seconds, f"the supernet has these {dataset.classes} classes")
    new = f"{dataset.classes} classes instead of the supernet's {classes}"
    if tuned <= seconds:
        why = f"{EPOCHS} epochs of fine-tuning with a new classifier for each of {evaluations} networks, as the paper"
        return Protocol("finetuned", EPOCHS, tuned, 0.0, True, f"{why}: {_spent(tuned, seconds)} ({new})")
    why = f"{new}, and {EPOCHS} epochs for each of {evaluations} networks would take {tuned:,.0f} s"
    return _plain("head", evaluations, plain, seconds, why, HEAD_IMAGES * (pace.evaluation + pace.preparation))


def _plain(kind: str, evaluations: int, needed: float, seconds: float, why: str, head: float = 0.0) -> Protocol:
    """Without fine-tuning; `head` are the least seconds of its training."""
    left = max(seconds - needed, 0.0)
    text = f"{evaluations} networks {_NAMES[kind]}: {_spent(needed, seconds)} ({why})"
    if kind == "head":
        text += f"; {max(left, head):,.0f} s of training the supernet from init, its head first"
    return Protocol(kind, 0, needed, max(left, head) if head else 0.0, needed + head <= seconds, text)


def _spent(needed: float, seconds: float) -> str:
    if needed <= seconds:
        return f"about {needed:,.0f} of {seconds:,.0f} s, estimated"
    return f"about {needed:,.0f} s, estimated, which is more than {seconds:,.0f} s: fewer evaluations, or more time"


def network_seconds(dataset: Dataset, pace: Pace, epochs: int, judged: int | None = None) -> float:
    """Of one evaluation: fine-tuning, statistics for BatchNorm, and that many judged images, copies included."""
    train = dataset.size("train")
    judged = dataset.size("val") * (1 + dataset.views) if judged is None else judged
    calibration = min(CALIBRATION, train) * (1 + (epochs > 0))  # fine-tuning ends with one, too
    return epochs * train * (pace.training + pace.preparation) + (judged + calibration) * pace.evaluation


def timed(space: SearchSpace, dataset: Dataset, threads: int = 1) -> Pace:
    """What an image costs here, of the network with the middle number of multiply-adds among random ones."""
    arch = middle(space)
    rows = np.resize(np.arange(dataset.size("train")), _TIMED)
    network = Network(space.with_classes(dataset.classes).layers(arch), arch).to(memory_format=torch.channels_last)
    with torch_threads(threads):
        start = time.perf_counter()
        ((images, _),) = dataset.prefetch("train", [BatchRequest(rows, arch.r, np.random.default_rng(0))])
        preparation = time.perf_counter() - start
        training = min(_pass(network.train(), images, learning=True) for _ in range(_RUNS))
        evaluation = min(_pass(network.eval(), images, learning=False) for _ in range(_RUNS))
    return Pace(training / _TIMED, evaluation / _TIMED, preparation / _TIMED)


def middle(space: SearchSpace) -> Architecture:
    """The network with the middle number of multiply-adds among some random ones."""
    archs = space.decode(space.sample(_SAMPLED, np.random.default_rng(0)))
    return sorted(archs, key=lambda arch: sum(layer.madds for layer in space.layers(arch)))[_SAMPLED // 2]


def _pass(network: Network, images: torch.Tensor, *, learning: bool) -> float:
    start = time.perf_counter()
    with torch.set_grad_enabled(learning):
        answers = network(images.contiguous(memory_format=torch.channels_last))
        if learning:
            answers.sum().backward()
    return time.perf_counter() - start
