"""The final training of chosen networks: many epochs each, one file a network, resumable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from hwnas.data import get_dataset
from hwnas.nets.checkpoint import open_supernet
from hwnas.nets.network import Network
from hwnas.nets.supernet import with_new_classifier
from hwnas.settings import build
from hwnas.space import Architecture, get_space
from hwnas.space.configured import configured_space, settled
from hwnas.train.config import FinetuneConfig
from hwnas.train.defaults import finetune_defaults
from hwnas.train.distributed import distributed, is_rank_zero
from hwnas.train.network_run import Facts, NetworkRun
from hwnas.train.optimise import torch_threads
from hwnas.train.schedule import Schedule
from hwnas.train.state import StateFile, alone_at, stored_values
from hwnas.train.subjects import Known, Own, Subject
from profilers.errors import BadInput
from profilers.files import read_bytes, sha256
from profilers.interruption import counted, leaving


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
        subjects = self.subjects(archs)
        total = len(subjects) * self.schedule.passes
        with leaving(partial(self.kept, subjects)), alone_at(config.out):
            if self.fresh:
                self._clear(subjects)
            with distributed(config.device) as group, group.track(total, "fine-tuning") as bar:
                for subject in subjects:
                    with torch_threads(config.threads):
                        facts = NetworkRun(self, subject, group, bar).run()
                    yield facts

    def subjects(self, archs: Sequence[Architecture]) -> list[Subject]:
        """The networks of the space, and the known ones at the largest of their sizes."""
        size = self.config.models_size or max((arch.r for arch in archs), default=self.space.resolutions[-1])
        return [*(Own(self, arch) for arch in archs), *(Known(self, name, size) for name in self.config.models)]

    def _clear(self, subjects: Sequence[Subject]) -> None:
        """Remove what is there of these networks: interrupted, the same command then goes on with the new ones."""
        if is_rank_zero():
            for subject in subjects:
                StateFile(self.file(subject), subject.identity, self.filled).clear(subject.kind)

    def kept(self, subjects: Sequence[Subject]) -> str:
        """What an interruption leaves, "" for nothing."""
        files = [self.file(subject) for subject in subjects]
        done = sum(file.exists() for file in files)
        more = " and the epochs of another" if any(StateFile(f, {}, self.filled).path.exists() for f in files) else ""
        return f"{counted(done, 'network')}{more} kept in {self.config.out}" if done or more else ""

    def file(self, subject: Subject) -> Path:
        """Where a network goes."""
        return self.config.out / f"{subject.id}.safetensors"

    def network(self, arch: Architecture) -> Network:
        """What training starts from."""
        if self.supernet is None:
            return Network(self.space.layers(arch), arch, seed=self.config.seed)
        return with_new_classifier(self.supernet, arch, self.space.classes, self.config.seed)

    def filled(self, stored: Any) -> Mapping[str, Any]:
        """A stored identity with today's defaults for keys that it lacks."""
        known = stored_values(stored)
        source = {"supernet_sha256": known.pop("supernet_sha256", "")}
        source |= {name: known.pop(name) for name in ("model", "size", "weights_sha256") if name in known}
        paths = dict.fromkeys(("archs", "out", "supernet"), "unused")  # not part of it, but required
        return build(FinetuneConfig, {**known, **paths}, "a stored configuration").to_json() | source

    def _teacher(self) -> Network:
        assert self.supernet is not None  # the configuration has checked it
        if self.supernet.space.classes != self.space.classes:
            got = f"a teacher of {self.supernet.space.classes} classes for {self.space.classes}"
            raise BadInput(got, "as many as the data set has", "teacher = false")
        return self.supernet.extract(self.supernet.space.extremes()[1])
