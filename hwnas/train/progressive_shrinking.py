"""Progressive shrinking: the largest network first, then ever smaller ones that share its weights.

A phase allows some of the largest kernels, depths, expands and resolutions (`Phase`). From the second phase on the
networks also learn from the teacher, the largest network as it was after the first. Before a phase that allows
narrower layers, channels are ordered by importance; not those of weights that were begun with, which are. In a phase of
the head only the classifier learns. Every random number derives from (seed, phase, epoch), and the
state is written after every epoch, so that a resumed run ends in the same weights.
Source: NSGANetV2, section 3.4; once-for-all, section 3.3 and algorithm 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hwnas.data import BatchRequest, Dataset, get_dataset
from hwnas.nets.checkpoint import Provenance, load_state, load_supernet, open_supernet, save_supernet
from hwnas.nets.network import Network
from hwnas.nets.supernet import Supernet, begin_with
from hwnas.settings import build
from hwnas.space import Architecture, SearchSpace
from hwnas.space.configured import configured_space, settled
from hwnas.train.config import SupernetConfig
from hwnas.train.distributed import Group, accumulating, distributed
from hwnas.train.elastic import Elastic, sort_channels
from hwnas.train.evaluate import recalibrate_on, top1
from hwnas.train.guessing import guessing
from hwnas.train.optimise import (
    Descent,
    check_finite,
    class_weights,
    index_batches,
    learning_rate,
    loss_of,
    smallest_batch,
    teacher_probabilities,
    torch_seed,
    torch_threads,
)
from hwnas.train.schedule import Schedule
from hwnas.train.state import StateFile, alone_at, kept_in, stored_fact, stored_values
from profilers.files import read_bytes, sha256
from profilers.interruption import leaving
from profilers.outputs import kept
from profilers.progress import Progress, say


def train_supernet(config: SupernetConfig, *, resume: bool = True, fresh: bool = False) -> tuple[Supernet, Provenance]:
    """Train, write the supernet to `config.out`, and return it in evaluation mode.

    What was interrupted is continued, a supernet of this configuration that is there is kept. Under torchrun the
    processes train it together; only the first one's provenance has the history.

    Args:
        config: what to train.
        resume: False to refuse a supernet or an unfinished training that is there.
        fresh: train anew in place of it.

    Raises:
        BadInput: an unknown space or data set, a phase that the space cannot have, or training of another configuration
            in the way.
        Diverged: a loss that is no number; the state before that epoch is kept.
        FileProblem: a file that cannot be written.
    """
    begun: list[SupernetRun] = []
    with (
        leaving(lambda: kept_in(config.out, begun[0].saved if begun else 0)),  # around the group's end, too
        alone_at(config.out),
        distributed(config.device) as group,
        torch_threads(config.threads),
    ):
        run = SupernetRun(config, get_dataset(config.dataset), group)
        begun.append(run)
        if run.state.is_finished("supernet", resume, fresh):
            return run.finished()
        if run.state.found(resume, fresh):
            run.load()
        with group.track(run.total, f"training {config.space}", done=run.done) as bar:
            run.train(bar)
        if group.is_rank_zero:
            save_supernet(config.out, run.supernet, run.provenance)
            run.state.remove()
    return run.supernet.eval(), run.provenance


class SupernetRun:
    """A training in progress; `done` counts passes over the training images, of all phases."""

    def __init__(self, config: SupernetConfig, dataset: Dataset, group: Group) -> None:
        config = settled(config)
        space = configured_space(config, config.resolutions, dataset.classes)
        self.config, self.group = config, group
        self.dataset = dataset.with_channels(space.in_channels)
        group.check_batch(smallest_batch(self.dataset.size("train"), config.recipe.batch))
        self.elastic = [Elastic.of(space, phase) for phase in config.phases]
        images, batch = self.dataset.size("train"), config.recipe.batch
        self.schedules = [Schedule.of(phase.epochs, phase.steps, images, batch) for phase in config.phases]
        weights = class_weights(self.dataset.labels("train"), space.classes) if config.recipe.class_weights else None
        self.weights = None if weights is None else weights.to(group.device)
        self.supernet = Supernet(space, dropout=config.recipe.dropout, seed=config.seed)
        self.identity = config.to_json() | self.begin(space)
        self.supernet.to(group.device).to(memory_format=torch.channels_last)
        self.prepare(0)
        self.total, self.done, self.saved = sum(schedule.passes for schedule in self.schedules), 0, 0
        self.teacher: Network | None = None
        self.history: list[dict[str, Any]] = []
        self.state = StateFile(config.out, self.identity, _filled)

    def begin(self, space: SearchSpace) -> dict[str, Any]:
        """Take the weights of `init`, if any; which they are."""
        if (path := self.config.init) is None:
            return {"init_sha256": ""}
        source, _ = open_supernet(path, space)
        begin_with(self.supernet, source)
        return {"init_sha256": sha256(read_bytes(path))}

    @property
    def provenance(self) -> Provenance:
        """Where the weights come from, as far as it is known by now."""
        training = {"config": self.identity, "history": self.history, "epochs": self.done}
        training["left_out"] = len(self.dataset.left_out)
        return Provenance(self.dataset.name, self.dataset.mean, self.dataset.std, training)

    # --- phases and passes -----------------------------------------------------------------------------------

    def train(self, bar: Progress) -> None:
        """Every pass that is left."""
        for done in range(self.done, self.total):
            index, epoch = self.position(done)
            if epoch == 0 and index > 0:
                self.begin_phase(index)
            loss = self.train_epoch(index, epoch)
            self.done = done + 1
            if self.group.is_rank_zero:
                if epoch + 1 == self.schedules[index].passes:
                    self.history.append(self.validate(index))
                self.save()
            bar.note(f"phase {self.config.phases[index].name}, loss {loss:.3f}")
            bar.advance()

    def position(self, done: int) -> tuple[int, int]:
        """Phase and pass within it, behind `done` passes."""
        for index, schedule in enumerate(self.schedules):
            if done < schedule.passes:
                return index, done
            done -= schedule.passes
        raise IndexError(done)

    def begin_phase(self, index: int) -> None:
        """The teacher after the first phase of whole networks; sorted channels before widths shrink."""
        if self.teacher is None and not all(phase.head for phase in self.config.phases[:index]):
            self.teacher = self.largest()
        before, now = (len(self.elastic[i].allowed("expand")) for i in (index - 1, index))
        if now > before and self.config.init is None:
            sort_channels(self.supernet, before)
        self.prepare(index)

    def prepare(self, index: int) -> None:
        """What learns in a phase: all, or the classifier alone; momentum from zero."""
        head = self.config.phases[index].head
        for name, parameter in self.supernet.named_parameters():
            parameter.requires_grad_(not head or name.startswith("classifier."))
        self.model = self.group.parallel(self.supernet, changing=True)
        self.descent = Descent(self.supernet, self.config.recipe, self.group.device)

    def largest(self) -> Network:
        """A copy of the largest network."""
        network = self.supernet.extract(self.supernet.space.extremes()[1])
        network.dropout = 0.0
        return network.to(self.group.device).to(memory_format=torch.channels_last)

    def train_epoch(self, index: int, epoch: int) -> float:
        """One pass over the training images; returns the mean loss."""
        phase, recipe, elastic = self.config.phases[index], self.config.recipe, self.elastic[index]
        schedule = self.schedules[index]
        place = [self.config.seed, index, epoch]
        networks = np.random.default_rng([*place, 1])  # the same in every process
        self.supernet.train()
        losses = []
        with torch_seed(int(networks.integers(2**31)) + self.group.rank, self.group.device):  # of dropout
            for step, (weight, images, labels) in enumerate(self.batches(elastic, place, schedule.length(epoch))):
                self.group.check_alive()
                lr = learning_rate(epoch * schedule.per_pass + step, schedule.steps, phase.lr, recipe.warmup)
                archs = elastic.networks(phase, networks, images.shape[-1])
                losses.append(self.train_step(images, labels, archs, lr, weight))
        loss = self.group.mean(float(torch.stack(losses).mean()))
        check_finite(loss, f"phase {phase.name}, epoch {epoch + 1}")
        return loss

    def batches(self, elastic: Elastic, place: Sequence[int], steps: int) -> Iterator[tuple[float, Tensor, Tensor]]:
        """The process's share of each batch of a pass, at a random resolution, and what its loss counts."""
        order, augment = np.random.default_rng(place), np.random.default_rng([*place, 2, self.group.rank])
        indices = list(index_batches(self.dataset.size("train"), self.config.recipe.batch, order))[:steps]
        sizes = order.choice(elastic.resolutions, len(indices)).tolist()
        requests = (BatchRequest(self.group.share(i), size, augment) for i, size in zip(indices, sizes, strict=True))
        for whole, (images, labels) in zip(indices, self.dataset.prefetch("train", requests), strict=True):
            images = images.to(self.group.device).contiguous(memory_format=torch.channels_last)
            yield self.group.weight(whole), images, labels.to(self.group.device)

    def train_step(
        self, images: Tensor, labels: Tensor, archs: Sequence[Architecture], lr: float, weight: float = 1.0
    ) -> Tensor:
        """One update by the mean gradient of several networks on the same images; returns their mean loss."""
        total = torch.zeros((), device=self.group.device)
        with self.descent.autocast():
            soft = None if self.teacher is None else teacher_probabilities(self.teacher, images)
        for left, arch in zip(range(len(archs) - 1, -1, -1), archs, strict=True):
            with accumulating(self.model, left > 0):
                with self.descent.autocast():
                    logits = self.model(images, arch)
                loss = loss_of(logits, labels, soft, self.config.recipe, self.weights) * (weight / len(archs))
                self.descent.backward(loss)
            total += loss.detach()
        self.descent.update(lr)
        return total

    def validate(self, index: int) -> dict[str, Any]:
        """Validation top-1 (%) of the phase's smallest and largest network, and points that recalibration moved."""
        elastic = self.elastic[index]
        result: dict[str, Any] = {"phase": self.config.phases[index].name, "recalibration": {}}
        for name, position in (("smallest", 0), ("largest", -1)):
            arch = elastic.extreme(position, elastic.resolutions[position])
            network = self.supernet.extract(arch).to(self.group.device)
            result["recalibration"][name] = recalibrate_on(network, self.dataset, arch.r).points
            result[name] = top1(network, self.dataset, "val", arch.r)
        if index == 0 and (warning := guessing(result["largest"], self.dataset.labels("val").numpy())):
            result["warning"] = f"after phase {result['phase']}, its largest network is {warning}"
            say(f"hwnas: {result['warning']}")
        return result

    # --- the state on disk -----------------------------------------------------------------------------------

    def finished(self) -> tuple[Supernet, Provenance]:
        """The supernet that an earlier training of this configuration has written."""
        supernet, provenance = load_supernet(self.config.out)
        self.state.check_config(provenance.training, self.config.out)
        if self.group.is_rank_zero:
            say(kept(self.config.out, "a supernet"))
        return supernet, provenance

    def save(self) -> None:
        """Write everything that the next epoch depends on."""
        groups = {
            "supernet": self.supernet.state_dict(),
            "momentum": self.descent.momentum(),
            "teacher": self.teacher.state_dict() if self.teacher else {},
        }
        provenance = self.provenance
        training = {**provenance.training, "scaler": self.descent.scaler.state_dict()}
        self.state.save(groups, self.supernet.space, Provenance(**{**vars(provenance), "training": training}))
        self.saved = self.done

    def load(self) -> None:
        """Undo `save`."""
        groups, training = self.state.load()
        path = self.state.path
        self.done, self.history = (
            stored_fact(training, "epochs", int, path),
            stored_fact(training, "history", list, path),
        )
        self.saved = self.done
        load_state(self.supernet, groups.get("supernet", {}), path)
        if self.done < self.total:
            self.prepare(self.position(self.done)[0])
        self.descent.restore(groups.get("momentum", {}), training.get("scaler") or {})
        if "teacher" in groups:
            self.teacher = self.largest()
            load_state(self.teacher, groups["teacher"], path)


def _filled(config: Any) -> Mapping[str, Any]:
    """A stored configuration with today's defaults for keys that it lacks."""
    known = stored_values(config)
    begun = {"init_sha256": known.pop("init_sha256", "")}
    return build(SupernetConfig, {**known, "out": "unused"}, "a stored configuration").to_json() | begun
