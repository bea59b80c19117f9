"""One network's fine-tuning: kept if it is done, otherwise begun or continued, judged and written."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from torch import nn

from hwnas.nets.checkpoint import Provenance
from hwnas.space import SearchSpace
from hwnas.train.config import FinetuneConfig
from hwnas.train.distributed import Group
from hwnas.train.early_stop import EarlyStop
from hwnas.train.evaluate import recalibrate_on, top1
from hwnas.train.guessing import guessing
from hwnas.train.one_network import Training
from hwnas.train.optimise import Diverged
from hwnas.train.schedule import Schedule
from hwnas.train.state import StateFile, stored_fact
from hwnas.train.subjects import Subject
from profilers.outputs import kept
from profilers.progress import Progress, say
from profilers.proportions import wilson

SPLITS = ("val", "test")
Facts = dict[str, Any]


class Work(Protocol):
    """What all networks of a fine-tuning have in common."""

    config: FinetuneConfig
    space: SearchSpace
    schedule: Schedule
    resume: bool
    fresh: bool

    def file(self, subject: Subject) -> Path:
        """Where a network goes."""

    def filled(self, stored: Any) -> Mapping[str, Any]:
        """A stored identity with today's defaults for keys that it lacks."""


@dataclass
class NetworkRun:
    """One network: kept if it is done, otherwise begun or continued."""

    work: Work
    subject: Subject
    group: Group
    bar: Progress
    facts: Facts = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.path = self.work.file(self.subject)
        self.state = StateFile(self.path, self.subject.identity, self.work.filled)
        self.early = EarlyStop(self.work.config.patience)

    def run(self) -> Facts:
        """Its facts, or its id and error if it diverged."""
        passes = self.work.schedule.passes
        if self.state.is_finished(self.subject.kind, self.work.resume, self.work.fresh):
            self.bar.reduce_total(passes)
            return self.kept()
        unfinished = self.state.found(self.work.resume, self.work.fresh)
        network = dict(self.subject.facts)
        self.facts = {**network, "file": str(self.path), "epochs": passes, "steps": self.work.schedule.steps}
        try:
            return self.trained(self.continued() if unfinished else self.begun())
        except Diverged as error:
            if self.group.is_rank_zero:
                self.state.remove()
            return {**network, "error": str(error)}

    def kept(self) -> Facts:
        """Those that the file holds; BadInput if it comes from another configuration."""
        provenance = self.subject.provenance(self.path)
        self.state.check_config(provenance.training, self.path)
        if self.group.is_rank_zero:
            say(kept(self.path, f"a {self.subject.kind}"))
        return {**stored_fact(provenance.training, "facts", dict, self.path), "file": str(self.path)}

    def begun(self) -> Training:
        """From the start; accuracy before training is noted."""
        network = self.subject.network().to(self.group.device)
        if self.group.is_rank_zero:
            moved = recalibrate_on(network, self.subject.dataset, self.subject.size)
            self.judge(network, "_before")
            self.facts["recalibration_before"] = moved.points
        self.facts |= {"seconds": 0.0, "left_out": len(self.subject.dataset.left_out)}  # damaged images
        return self.training(network)

    def continued(self) -> Training:
        """From the state behind the last epoch."""
        groups, stored = self.state.load()
        self.facts = stored_fact(stored, "facts", dict, self.state.path)
        training = self.training(self.subject.network())
        done = stored_fact(stored, "epochs", int, self.state.path)
        training.restore(groups, done, stored.get("scaler") or {}, self.state.path)
        self.early.restore(groups.get("best", {}), stored, self.state.path)
        self.bar.reduce_total(done)
        return training

    def training(self, network: nn.Module) -> Training:
        """As configured."""
        config = self.work.config
        return Training(
            network,
            self.subject.dataset,
            resolution=self.subject.size,
            lr=config.lr,
            epochs=config.epochs,
            steps=config.steps,
            recipe=config.recipe,
            regularise=config.regularise,
            seed=config.seed,
            teacher=self.subject.teacher,
            group=self.group,
        )

    def trained(self, training: Training) -> Facts:
        """Run the epochs that are left, judge and write the network."""
        passes = training.schedule.passes
        while training.done < passes and not self.early.is_over(training.done):
            loss = self.timed(training.run_epoch)
            self.timed(lambda: self.early.look(training))
            self.bar.note(f"{self.subject.id}, loss {loss:.3f}")
            self.bar.advance()
            if self.group.is_rank_zero and training.done < passes:
                self.save(training)
        self.bar.reduce_total(passes - training.done)
        self.end(training)
        if not self.group.is_rank_zero:
            training.finish()
            return {}
        self.facts["recalibration"] = self.timed(training.finish_and_validate).points
        self.judge(training.network, "")
        self.warn()
        self.subject.save(self.path, training.network, self.provenance({"epochs": training.done}))
        self.state.remove()
        return self.facts

    def save(self, training: Training) -> None:
        """The state behind a pass, with the best weights so far."""
        more = {"epochs": training.done, "scaler": training.descent.scaler.state_dict(), **self.early.facts()}
        groups = {**training.state(), "best": dict(self.early.weights)}
        self.state.save(groups, self.work.space, self.provenance(more))

    def end(self, training: Training) -> None:
        """With the best weights, where early stop looked for them; said."""
        self.early.take(training, self.state.path)
        if said := self.early.said(training.done, training.schedule.passes):
            steps = min(training.done * training.schedule.per_pass, training.schedule.steps)
            self.facts |= {"epochs": training.done, "steps": steps, "early_stop": said}
            if self.group.is_rank_zero:
                say(f"hwnas: {self.subject.id}: {said}")

    def timed(self, work: Callable[[], Any]) -> Any:
        """Its result; its seconds are added to the facts."""
        start = time.perf_counter()
        result = work()
        self.facts["seconds"] = round(self.facts["seconds"] + time.perf_counter() - start, 1)
        return result

    def judge(self, network: nn.Module, when: str) -> None:
        """Note the network's accuracy on validation and test images, at the end with its interval."""
        dataset = self.subject.dataset
        for split in SPLITS:
            name, there = f"{split}_top1{when}", split in dataset.splits
            self.facts[name] = top1(network, dataset, split, self.subject.size) if there else None
            if there and not when:
                images = dataset.size(split)
                self.facts[f"{split}_images"] = images
                self.facts[f"{name}_interval"] = [round(x, 2) for x in wilson(self.facts[name], images)]

    def warn(self) -> None:
        """Where nothing was learnt."""
        labels = self.subject.dataset.labels("val").numpy()
        if warning := guessing(self.facts["val_top1"], labels):
            self.facts["warning"] = f"{self.subject.id} is {warning}"
            say(f"hwnas: {self.facts['warning']}")

    def provenance(self, more: Mapping[str, Any]) -> Provenance:
        """Where the weights come from."""
        dataset = self.subject.dataset
        training = {"config": self.subject.identity, "facts": self.facts, **more}
        return Provenance(dataset.name, dataset.mean, dataset.std, training)
