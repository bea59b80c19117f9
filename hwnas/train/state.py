"""What a training continues from: groups of tensors and facts in one file, written whole after every epoch."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor

from hwnas.nets.checkpoint import Provenance, check_header, header, provenance_of
from hwnas.nets.tensorfile import read_tensors, write_tensors
from hwnas.space import SearchSpace
from hwnas.train.distributed import is_rank_zero
from profilers.errors import BadInput
from profilers.interruption import counted
from profilers.locks import alone
from profilers.outputs import changes, different, foreign, in_the_way

T = TypeVar("T")
ELSEWHERE = "another out (--set out=…)"
_HEAD = 1 << 20  # bytes, of which the header of a file is a part
Groups = dict[str, dict[str, Tensor]]


class StateFile:
    """The file beside `out`, which is there as long as its training is unfinished.

    Args:
        out: what the training writes in the end.
        config: what its weights depend on.
        fill: completes the configuration that a file holds with defaults, for files of earlier versions.
    """

    def __init__(self, out: Path, config: Mapping[str, Any], fill: Callable[[Any], Mapping[str, Any]]) -> None:
        self.out, self.path, self.fill = out, state_path(out), fill
        self.config = json.loads(json.dumps(config))

    def found(self, resume: bool, fresh: bool = False) -> bool:
        """Whether there is an unfinished training to go on with; BadInput if there is one and not `resume`."""
        if fresh or not self.path.exists():
            return False
        if not resume:
            raise in_the_way(self.path, "an unfinished training", ELSEWHERE)
        return True

    def is_finished(self, kind: str, resume: bool, fresh: bool = False) -> bool:
        """Whether the training has written `out`, of that kind, and left nothing unfinished.

        BadInput if so and not `resume`, or if `out` is something else, which is never written over.
        """
        if fresh and self.out.exists():
            check_own(self.out, kind)
        if fresh or not self.out.exists() or self.path.exists():
            return False
        if not resume:
            raise in_the_way(self.out, f"a trained {kind}", ELSEWHERE)
        return True

    def save(self, groups: Groups, space: SearchSpace, provenance: Provenance) -> None:
        """Write everything that the next epoch depends on."""
        tensors = {f"{group}/{name}": value for group, values in groups.items() for name, value in values.items()}
        write_tensors(self.path, tensors, header("training", space, provenance))

    def load(self) -> tuple[Groups, Mapping[str, Any]]:
        """What was saved, and the facts of its provenance; BadInput if damaged or of another configuration."""
        tensors, head = read_tensors(self.path)
        check_header(head, "training", self.path)
        training = provenance_of(head, self.path).training
        self.check_config(training, self.path)
        groups: Groups = {}
        for name, value in tensors.items():
            group, _, rest = name.partition("/")
            groups.setdefault(group, {})[rest] = value
        return groups, training

    def clear(self, kind: str) -> None:
        """Remove what the training wrote, finished or not; BadInput if `out` is something else."""
        if self.out.exists():
            check_own(self.out, kind)
            self.out.unlink()
        self.remove()

    def remove(self) -> None:
        """The training is finished."""
        self.path.unlink(missing_ok=True)

    def check_config(self, training: Mapping[str, Any], path: Path) -> None:
        """BadInput if `path` comes from another configuration."""
        theirs = _unplaced(json.loads(json.dumps(self.fill(training.get("config") or {}))))
        ours = _unplaced(self.config)
        if differ := changes({k: theirs.get(k) for k in ours}, ours):
            raise different(path, differ, ELSEWHERE)


def state_path(out: Path) -> Path:
    """Where an unfinished training stands."""
    return out.with_name(out.name + ".training")


def alone_at(out: Path) -> AbstractContextManager[None]:
    """Around a training that writes `out`, in its first process: BadInput where another training does."""
    return alone(out, "is training", ELSEWHERE) if is_rank_zero() else nullcontext()


def kept_in(out: Path, epochs: int) -> str:
    """What an interruption leaves, "" for nothing; `epochs`, where this process knows how many are saved."""
    if (state := state_path(out)).exists():
        return f"{counted(epochs, 'epoch') if epochs else 'epochs are'} kept in {state}"
    return f"the supernet is kept in {out}" if out.exists() else ""


def _unplaced(config: Mapping[str, Any]) -> dict[str, Any]:
    """Without where the images' folder lies: it may be moved while it is trained on."""
    dataset = config.get("dataset")
    return {**config, "dataset": Path(dataset).name} if isinstance(dataset, str) else dict(config)


def check_own(path: Path, kind: str) -> None:
    """BadInput if the head of a file does not say that it is of that kind; a damaged one may still be replaced."""
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
    if json.dumps(json.dumps({"kind": kind})[1:-1])[1:-1].encode() not in head:
        raise foreign(path, f"a {kind} of hwnas, or nothing", ELSEWHERE)


def stored_fact(training: Mapping[str, Any], name: str, kind: type[T], path: Path) -> T:
    """A fact of an unfinished training; BadInput if it is missing or of another type."""
    value = training.get(name)
    if not isinstance(value, kind):
        raise BadInput(f"{path} says {name} = {value!r}", f"a value of type {kind.__name__}", "remove that file")
    return value


def stored_values(config: Any) -> dict[str, Any]:
    """The keys of a stored configuration that have a value; BadInput if it is none."""
    if not isinstance(config, Mapping):
        raise BadInput(f"a stored configuration is {config!r}", "a section", "remove that file to train anew")
    return {k: v for k, v in config.items() if v is not None}
