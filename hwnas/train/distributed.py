"""One process or many: those that `torchrun` starts (ranks) train one model together.

Each rank computes its share of every batch on the same architectures and draws its own augmentation; torch's
DistributedDataParallel averages the gradients, so that all ranks hold the same weights after every step. BatchNorm
normalises by the images of its own rank, as once-for-all's training does, and keeps the running statistics of rank 0,
which are recalibrated before anything is judged. Rank 0 alone validates, writes and prints.
Ranks talk through gloo on CPUs and NCCL on GPUs; all must see the same files.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from hwnas.data.dataset import Indices
from profilers.errors import BadInput, HwnasError
from profilers.interruption import code
from profilers.progress import Progress, track

PATIENCE = timedelta(hours=6)  # that a rank waits for the others, which may be validating
_REMEDY = "the same command again"


@dataclass(frozen=True)
class Group:
    """A process among those of its training, and the device that it computes on."""

    rank: int = 0
    size: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    parent: int = field(default_factory=os.getppid)

    @property
    def is_rank_zero(self) -> bool:
        """Whether this process validates, writes and prints."""
        return self.rank == 0

    def share(self, indices: Indices) -> Indices:
        """The part of a batch that is this rank's."""
        return indices[self.rank :: self.size]

    def weight(self, indices: Indices) -> float:
        """What this rank's mean loss counts, so that the average over ranks is the mean over the whole batch."""
        return len(self.share(indices)) * self.size / len(indices)

    def check_batch(self, smallest: int) -> None:
        """BadInput if a batch leaves a rank without the two images that BatchNorm needs."""
        if smallest < 2 * self.size:
            raise BadInput(f"a batch of {smallest} images for {self.size} processes", "two or more images each")

    def check_alive(self) -> None:
        """HwnasError if torchrun was killed: nobody would stop this process beside a resumed training."""
        if self.size > 1 and os.getppid() != self.parent:
            raise HwnasError("torchrun, which started this process, is gone", remedy=_REMEDY)

    def parallel(self, model: nn.Module, *, changing: bool = False) -> nn.Module:
        """The model whose gradients are averaged over ranks; `changing` if a step may leave parameters unused."""
        if self.size == 1:
            return model
        # a depthwise filter's strides say two things of one and the same memory
        warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides")
        ids = [self.device.index] if self.device.type == "cuda" else None
        return DistributedDataParallel(model, ids, find_unused_parameters=changing)

    def mean(self, value: float) -> float:
        """The average over ranks."""
        if self.size == 1:
            return value
        total = torch.tensor(value, dtype=torch.float64, device=self.device)
        dist.all_reduce(total)
        return float(total) / self.size

    @contextmanager
    def track(self, total: float, label: str, done: float = 0) -> Iterator[Progress]:
        """`profilers.progress.track` in the first process, nothing in the others."""
        if not self.is_rank_zero:
            yield _Silent()
            return
        with track(total, label, done=done) as bar:
            yield bar


def accumulating(model: nn.Module, more: bool) -> AbstractContextManager[None]:
    """Around a forward and backward pass: gradients stay in their process while there is `more` to add to them."""
    return model.no_sync() if more and isinstance(model, DistributedDataParallel) else nullcontext()


@contextmanager
def distributed(device: str) -> Iterator[Group]:
    """The group of this process while the block runs.

    Args:
        device: "cpu", "cuda" or "auto". Under torchrun each process takes the GPU of its local rank.

    Raises:
        BadInput: no such device here, or fewer GPUs than processes.
        HwnasError: another process of the group ended.
    """
    rank, size, local = (int(os.environ.get(name, default)) for name, default in _ENVIRONMENT)
    where = pick_device(device, local)
    if size == 1:
        yield Group(device=where)
        return
    dist.init_process_group("nccl" if where.type == "cuda" else "gloo", timeout=PATIENCE)
    try:
        yield Group(rank, size, where)
    except RuntimeError as error:
        if not _is_lost_contact(error):
            raise
        raise HwnasError("another process of this training ended", remedy=_REMEDY) from error
    finally:
        dist.destroy_process_group()


@contextmanager
def single_error_report() -> Iterator[None]:
    """Around a command: only one failing process prints its error; the others exit silently with the same code."""
    try:
        yield
    except (HwnasError, OSError, KeyboardInterrupt) as error:
        if not _fails_first():
            raise SystemExit(code(error) if isinstance(error, KeyboardInterrupt) else 2) from error
        raise


def pick_device(name: str, local: int = 0) -> torch.device:
    """The device of that name, "auto" a GPU where there is one; BadInput if there is none of that local rank."""
    if name == "cpu" or (name == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if local >= torch.cuda.device_count():
        raise BadInput(f"device = {name!r} with {torch.cuda.device_count()} GPUs here", "cpu, or one process a GPU")
    torch.cuda.set_device(local)
    return torch.device("cuda", local)


def is_rank_zero() -> bool:
    """Whether this process prints results."""
    return os.environ.get("RANK", "0") == "0"


_ENVIRONMENT = (("RANK", "0"), ("WORLD_SIZE", "1"), ("LOCAL_RANK", "0"))  # set by torchrun


def _is_lost_contact(error: RuntimeError) -> bool:
    return isinstance(error, dist.DistError) or any(x in str(error) for x in ("gloo", "NCCL", "store"))


def _fails_first() -> bool:
    """Whether no other process has failed before this one; torchrun keeps the count."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return True
    host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    restart = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    try:
        store = dist.TCPStore(host, port, is_master=False, timeout=timedelta(seconds=10))  # type: ignore[attr-defined]
        return bool(store.add(f"hwnas/failed/{restart}", 1) == 1)
    except RuntimeError:  # torchrun is gone, and the count with it
        return True


class _Silent:
    def advance(self, amount: float = 1) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""

    def reduce_total(self, amount: float) -> None:
        """Nothing."""
