"""The final training of chosen networks: many epochs each, one file a network, resumable."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from hwnas.data import get_dataset
from hwnas.nets.checkpoint import Provenance, load_network, open_supernet, save_network
from hwnas.nets.network import Network
from hwnas.nets.supernet import with_new_classifier
from hwnas.settings import build
from hwnas.space import Architecture, get_space
from hwnas.space.arch_lines import stated
from hwnas.space.configured import configured_space, settled
from hwnas.train.config import FinetuneConfig
from hwnas.train.defaults import finetune_defaults
from hwnas.train.distributed import Group, distributed, is_rank_zero
from hwnas.train.evaluate import recalibrate_on, top1
from hwnas.train.one_network import Training
from hwnas.train.optimise import Diverged, torch_threads
from hwnas.train.schedule import Schedule
from hwnas.train.state import StateFile, stored_fact, stored_values
from profilers.errors import BadInput
from profilers.files import read_bytes, sha256
from profilers.interruption import counted, leaving
from profilers.outputs import kept
from profilers.progress import Progress, say

SPLITS = ("val", "test")
Facts = dict[str, Any]


class Finetuning:
    """What `hwnas train finetune` does: train and write the networks of a supernet, or of a space from random weights.

    Raises:
        BadInput: a supernet, space or data set that does not fit.
    """

    def __init__(self, config: FinetuneConfig, *, resume: bool = True, fresh: bool = False) -> None:
        config = settled(config) if config.space else config
        self.resume, self.fresh, self.supernet = resume, fresh, None
        data, source = get_dataset(config.dataset), {"supernet_sha256": ""}
        named = configured_space(config, config.resolutions, data.classes) if config.space else None
        if config.supernet is not None:
            self.supernet, _ = open_supernet(config.supernet, named)
            source["supernet_sha256"] = sha256(read_bytes(config.supernet))
        own = self.supernet.space if self.supernet else named
        assert own is not None  # the configuration has one of them
        self.space = get_space(own, config.resolutions or own.resolutions, data.classes)
        self.dataset = data.with_channels(self.space.in_channels)
        if config.epochs is None and config.steps is None:
            initialised = config.supernet is not None
            suited = finetune_defaults(self.space, self.dataset.size("train"), initialised=initialised)
            config = replace(config, steps=suited["steps"])
        self.config = config
        self.schedule = Schedule.of(config.epochs, config.steps, self.dataset.size("train"), config.recipe.batch)
        self.identity = config.to_json() | source
        self.teacher = self._teacher() if config.teacher else None

    def run(self, archs: Sequence[Architecture]) -> Iterator[Facts]:
        """Facts of each network as it is done: top-1 in percent, of test images only now; or the "error" it met.

        Under torchrun only the first process has them, the others give empty ones.

        Raises:
            BadInput: files of another configuration in the way, or any files without `resume`.
        """
        config = self.config
        if self.fresh:
            self._clear(archs)
        with distributed(config.device) as group, group.track(len(archs) * self.schedule.passes, "fine-tuning") as bar:
            for arch in archs:
                with torch_threads(config.threads), leaving(partial(self.kept, archs)):
                    facts = _NetworkRun(self, arch, group, bar).run()
                yield facts

    def _clear(self, archs: Sequence[Architecture]) -> None:
        """Remove what is there of these networks: interrupted, the same command then goes on with the new ones."""
        if is_rank_zero():
            for arch in archs:
                StateFile(self.file(arch), self.identity, self.filled).clear("network")

    def kept(self, archs: Sequence[Architecture]) -> str:
        """What an interruption leaves, "" for nothing."""
        files = [self.file(arch) for arch in archs]
        done = sum(file.exists() for file in files)
        more = " and the epochs of another" if any(StateFile(f, {}, self.filled).path.exists() for f in files) else ""
        return f"{counted(done, 'network')}{more} kept in {self.config.out}" if done or more else ""

    def file(self, arch: Architecture) -> Path:
        """Where a network goes."""
        return self.config.out / f"{arch.id}.safetensors"

    def network(self, arch: Architecture) -> Network:
        """What training starts from."""
        if self.supernet is None:
            return Network(self.space.layers(arch), arch, seed=self.config.seed)
        return with_new_classifier(self.supernet, arch, self.space.classes, self.config.seed)

    def filled(self, stored: Any) -> Mapping[str, Any]:
        """A stored identity with today's defaults for keys that it lacks."""
        known = stored_values(stored)
        source = {"supernet_sha256": known.pop("supernet_sha256", "")}
        paths = dict.fromkeys(("archs", "out", "supernet"), "unused")  # not part of it, but required
        return build(FinetuneConfig, {**known, **paths}, "a stored configuration").to_json() | source

    def _teacher(self) -> Network:
        assert self.supernet is not None  # the configuration has checked it
        if self.supernet.space.classes != self.space.classes:
            got = f"a teacher of {self.supernet.space.classes} classes for {self.space.classes}"
            raise BadInput(got, "as many as the data set has", "teacher = false")
        return self.supernet.extract(self.supernet.space.extremes()[1])


@dataclass
class _NetworkRun:
    """One network: kept if it is done, otherwise begun or continued."""

    work: Finetuning
    arch: Architecture
    group: Group
    bar: Progress
    facts: Facts = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.path = self.work.file(self.arch)
        self.state = StateFile(self.path, self.work.identity, self.work.filled)

    def run(self) -> Facts:
        """Its facts, or its id and error if it diverged."""
        passes = self.work.schedule.passes
        if self.state.is_finished("network", self.work.resume, self.work.fresh):
            self.bar.reduce_total(passes)
            return self.kept()
        unfinished = self.state.found(self.work.resume, self.work.fresh)
        network = {"id": self.arch.id, **stated(self.arch, self.work.space)}
        self.facts = {**network, "file": str(self.path), "epochs": passes, "steps": self.work.schedule.steps}
        try:
            return self.trained(self.continued() if unfinished else self.begun())
        except Diverged as error:
            if self.group.is_rank_zero:
                self.state.remove()
            return {**network, "error": str(error)}

    def kept(self) -> Facts:
        """Those that the file holds; BadInput if it comes from another configuration."""
        _, _, provenance = load_network(self.path)
        self.state.check_config(provenance.training, self.path)
        if self.group.is_rank_zero:
            say(kept(self.path, "a network"))
        return {**stored_fact(provenance.training, "facts", dict, self.path), "file": str(self.path)}

    def begun(self) -> Training:
        """From the start; accuracy before training is noted."""
        network = self.work.network(self.arch).to(self.group.device)
        if self.group.is_rank_zero:
            moved = recalibrate_on(network, self.work.dataset, self.arch.r)
            self.judge(network, "_before")
            self.facts["recalibration_before"] = moved.points
        self.facts |= {"seconds": 0.0, "left_out": len(self.work.dataset.left_out)}  # damaged images
        return self.training(network)

    def continued(self) -> Training:
        """From the state behind the last epoch."""
        groups, stored = self.state.load()
        self.facts = stored_fact(stored, "facts", dict, self.state.path)
        training = self.training(self.work.network(self.arch))
        done = stored_fact(stored, "epochs", int, self.state.path)
        training.restore(groups, done, stored.get("scaler") or {}, self.state.path)
        self.bar.reduce_total(done)
        return training

    def training(self, network: Network) -> Training:
        """As configured."""
        config = self.work.config
        return Training(
            network,
            self.work.dataset,
            lr=config.lr,
            epochs=config.epochs,
            steps=config.steps,
            recipe=config.recipe,
            regularise=config.regularise,
            seed=config.seed,
            teacher=self.work.teacher,
            group=self.group,
        )

    def trained(self, training: Training) -> Facts:
        """Run the epochs that are left, judge and write the network."""
        while training.done < training.schedule.passes:
            loss = self.timed(training.run_epoch)
            self.bar.note(f"{self.arch.id}, loss {loss:.3f}")
            self.bar.advance()
            if self.group.is_rank_zero and training.done < training.schedule.passes:
                more = {"epochs": training.done, "scaler": training.descent.scaler.state_dict()}
                self.state.save(training.state(), self.work.space, self.provenance(more))
        if not self.group.is_rank_zero:
            training.finish()
            return {}
        self.facts["recalibration"] = self.timed(training.finish_and_validate).points
        self.judge(training.network, "")
        save_network(self.path, training.network, self.work.space, self.provenance({"epochs": training.done}))
        self.state.remove()
        return self.facts

    def timed(self, work: Callable[[], Any]) -> Any:
        """Its result; its seconds are added to the facts."""
        start = time.perf_counter()
        result = work()
        self.facts["seconds"] = round(self.facts["seconds"] + time.perf_counter() - start, 1)
        return result

    def judge(self, network: Network, when: str) -> None:
        """Note the network's accuracy on validation and test images."""
        dataset = self.work.dataset
        for split in SPLITS:
            value = top1(network, dataset, split, self.arch.r) if split in dataset.splits else None
            self.facts[f"{split}_top1{when}"] = value

    def provenance(self, more: Mapping[str, Any]) -> Provenance:
        """Where the weights come from."""
        dataset = self.work.dataset
        training = {"config": self.work.identity, "facts": self.facts, **more}
        return Provenance(dataset.name, dataset.mean, dataset.std, training)
