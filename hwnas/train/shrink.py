"""Progressive shrinking: the largest network first, then ever smaller ones that share its weights.

A phase allows some of the largest kernels, depths, expands and resolutions (`Phase`). From the second phase on the
networks also learn from the teacher, the largest network as it was after the first. Before a phase that allows
narrower layers, channels are ordered by importance. Every random number derives from (seed, phase, epoch), and the
state is written after every epoch, so that a resumed run ends in the same weights.
Source: NSGANetV2, section 3.4; once-for-all, section 3.3 and algorithm 1.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hwnas.data import Dataset, get_dataset
from hwnas.nets.checkpoint import (
    Provenance,
    check_header,
    header,
    load_state,
    load_supernet,
    provenance_of,
    save_supernet,
)
from hwnas.nets.network import Network
from hwnas.nets.supernet import Supernet
from hwnas.nets.tensorfile import read_tensors, write_tensors
from hwnas.space import Architecture, get_space
from hwnas.train.config import SupernetConfig
from hwnas.train.elastic import Elastic, sort_channels
from hwnas.train.evaluate import calibration_images, evaluate, recalibrate
from hwnas.train.optimise import (
    index_batches,
    learning_rate,
    loss_of,
    make_optimiser,
    momentum_of,
    restore_momentum,
    steps_per_epoch,
    teacher_probabilities,
    torch_threads,
    update,
)
from profilers.errors import BadInput
from profilers.progress import Progress, track


def train_supernet(config: SupernetConfig, *, resume: bool = False) -> tuple[Supernet, Provenance]:
    """Train, write the supernet to `config.out`, and return it in evaluation mode.

    Raises:
        BadInput: an unknown space or data set, a phase that the space cannot have, or an unfinished training in the
            way (without `resume`), or one of another configuration (with it).
        FileProblem: a file that cannot be written.
    """
    run = _Run(config, get_dataset(config.dataset))
    if resume and config.out.exists() and not run.state_path.exists():
        return run.finished()
    run.open(resume)
    with torch_threads(config.threads), track(run.total, f"training {config.space}", done=run.done) as bar:
        run.train(bar)
    save_supernet(config.out, run.supernet, run.provenance)
    run.state_path.unlink(missing_ok=True)
    return run.supernet.eval(), run.provenance


@dataclass
class _Run:
    """A training in progress; `done` counts epochs over all phases."""

    config: SupernetConfig
    dataset: Dataset
    done: int = 0
    teacher: Network | None = None
    history: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        space = get_space(self.config.space, self.config.resolutions, self.dataset.classes)
        if space.in_channels != self.dataset.in_channels:
            got = f"images of {self.dataset.in_channels} channels in {self.dataset.name}"
            raise BadInput(got, f"{space.in_channels} in space {space.name}")
        self.elastic = [Elastic.of(space, phase) for phase in self.config.phases]
        self.supernet = Supernet(space, dropout=self.config.recipe.dropout, seed=self.config.seed)
        self.supernet.to(memory_format=torch.channels_last)
        self.optimiser = make_optimiser(self.supernet, self.config.recipe)
        self.total = sum(phase.epochs for phase in self.config.phases)
        self.state_path = self.config.out.with_name(self.config.out.name + ".training")

    @property
    def provenance(self) -> Provenance:
        """Where the weights come from, as far as it is known by now."""
        training = {"config": self.config.to_json(), "history": self.history, "epochs": self.done}
        return Provenance(self.dataset.name, self.dataset.mean, self.dataset.std, training)

    # --- phases and epochs -----------------------------------------------------------------------------------

    def train(self, bar: Progress) -> None:
        """Every epoch that is left."""
        for done in range(self.done, self.total):
            index, epoch = self.position(done)
            if epoch == 0 and index > 0:
                self.begin_phase(index)
            loss = self.train_epoch(index, epoch)
            self.done = done + 1
            if epoch + 1 == self.config.phases[index].epochs:
                self.history.append(self.validate(index))
            self.save()
            bar.note(f"phase {self.config.phases[index].name}, loss {loss:.3f}")
            bar.advance()

    def position(self, done: int) -> tuple[int, int]:
        """Phase and epoch within it, behind `done` epochs."""
        for index, phase in enumerate(self.config.phases):
            if done < phase.epochs:
                return index, done
            done -= phase.epochs
        raise IndexError(done)

    def begin_phase(self, index: int) -> None:
        """The teacher after the first phase; sorted channels before widths shrink; momentum from zero."""
        if index == 1:
            self.teacher = self.largest()
        before, now = len(self.elastic[index - 1].expands), len(self.elastic[index].expands)
        if now > before:
            sort_channels(self.supernet, before)
        self.optimiser = make_optimiser(self.supernet, self.config.recipe)

    def largest(self) -> Network:
        """A copy of the largest network."""
        network = self.supernet.extract(self.supernet.space.extremes()[1])
        network.dropout = 0.0
        return network.to(memory_format=torch.channels_last)

    def train_epoch(self, index: int, epoch: int) -> float:
        """One pass over the training images; returns the mean loss."""
        phase, recipe, elastic = self.config.phases[index], self.config.recipe, self.elastic[index]
        rng = np.random.default_rng([self.config.seed, index, epoch])
        self.supernet.train()
        size, losses = self.dataset.size("train"), []
        steps = steps_per_epoch(size, recipe.batch)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(rng.integers(2**31)))  # of dropout
            for step, indices in enumerate(index_batches(size, recipe.batch, rng)):
                lr = learning_rate(epoch * steps + step, phase.epochs * steps, phase.lr, recipe.warmup)
                images, labels = self.dataset.batch("train", indices, int(rng.choice(elastic.resolutions)), augment=rng)
                archs = elastic.networks(phase, rng, images.shape[-1])
                losses.append(self.train_step(images, labels, archs, lr))
        return float(np.mean(losses))

    def train_step(self, images: Tensor, labels: Tensor, archs: Sequence[Architecture], lr: float) -> float:
        """One update by the mean gradient of several networks on the same images; returns their mean loss."""
        images = images.contiguous(memory_format=torch.channels_last)
        soft = None if self.teacher is None else teacher_probabilities(self.teacher, images)
        total = 0.0
        for arch in archs:
            loss = loss_of(self.supernet(images, arch), labels, soft, self.config.recipe) / len(archs)
            loss.backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
        update(self.optimiser, lr)
        return total

    def validate(self, index: int) -> dict[str, Any]:
        """Validation top-1 (%) of the phase's smallest and largest network."""
        elastic = self.elastic[index]
        result: dict[str, Any] = {"phase": self.config.phases[index].name}
        for name, position in (("smallest", 0), ("largest", -1)):
            arch = elastic.extreme(position, elastic.resolutions[position])
            network = self.supernet.extract(arch)
            recalibrate(network, calibration_images(self.dataset, arch.r))
            top1 = evaluate(network, self.dataset.images("val", arch.r), self.dataset.labels("val"))
            result[name] = round(top1, 2)
        return result

    # --- the state on disk -----------------------------------------------------------------------------------

    def open(self, resume: bool) -> None:
        """Take up an unfinished training, or make sure that there is none."""
        if self.state_path.exists() and not resume:
            raise BadInput(f"{self.state_path} holds an unfinished training", remedy="--resume, or remove that file")
        if self.state_path.exists():
            self.load()

    def finished(self) -> tuple[Supernet, Provenance]:
        """The supernet that an earlier training of this configuration has written."""
        supernet, provenance = load_supernet(self.config.out)
        self.check_config(provenance, self.config.out)
        return supernet, provenance

    def check_config(self, provenance: Provenance, path: Path) -> None:
        """BadInput if `path` comes from another configuration."""
        ours, theirs = json.loads(json.dumps(self.config.to_json())), provenance.training.get("config") or {}
        if differ := sorted(k for k in ours if ours[k] != theirs.get(k)):
            got = f"{path} was begun with another {', '.join(differ)}"
            raise BadInput(got, "the configuration that it was begun with", "remove that file to train anew")

    def save(self) -> None:
        """Write everything that the next epoch depends on."""
        groups = {
            "supernet": self.supernet.state_dict(),
            "momentum": momentum_of(self.supernet, self.optimiser),
            "teacher": self.teacher.state_dict() if self.teacher else {},
        }
        tensors = {f"{group}/{name}": value for group, values in groups.items() for name, value in values.items()}
        write_tensors(self.state_path, tensors, header("training", self.supernet.space, self.provenance))

    def load(self) -> None:
        """Undo `save`."""
        tensors, head = read_tensors(self.state_path)
        check_header(head, "training", self.state_path)
        provenance = provenance_of(head, self.state_path)
        self.check_config(provenance, self.state_path)
        training = provenance.training
        self.done, self.history = int(training["epochs"]), list(training["history"])
        parts: dict[str, dict[str, Tensor]] = {"supernet": {}, "momentum": {}, "teacher": {}}
        for name, value in tensors.items():
            group, _, rest = name.partition("/")
            parts.setdefault(group, {})[rest] = value
        load_state(self.supernet, parts["supernet"], self.state_path)
        restore_momentum(self.supernet, self.optimiser, parts["momentum"])
        if parts["teacher"]:
            self.teacher = self.largest()
            load_state(self.teacher, parts["teacher"], self.state_path)
