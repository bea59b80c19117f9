"""Training in several processes: the same gradients as one process makes of the same parts, and no loss by a kill."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import distributed as dist

from hwnas.cli import main
from hwnas.nets import Supernet
from hwnas.nets.tensorfile import read_tensors
from hwnas.space import get_space
from hwnas.train import Recipe
from hwnas.train.distributed import Group, accumulating, distributed, pick_device
from hwnas.train.optimise import Descent, loss_of
from profilers.errors import BadInput

torch.set_num_threads(1)

SPACE = get_space("tiny", [12])
INDICES = np.arange(9)  # 5 and 4 for two processes


def gradients(group: Group) -> dict[str, torch.Tensor | None]:
    """Of two networks on this process's share of nine images."""
    generator = torch.Generator().manual_seed(3)
    images, labels = torch.randn(9, 1, 12, 12, generator=generator), torch.arange(9)
    supernet = Supernet(SPACE, seed=1).train()
    model, descent = group.parallel(supernet, changing=True), Descent(supernet, Recipe(), group.device)
    mine = group.share(INDICES)
    for more, arch in zip((True, False), SPACE.extremes()[::-1], strict=True):
        with accumulating(model, more):
            logits = model(images[mine], arch)
            descent.backward(loss_of(logits, labels[mine], None, Recipe()) * group.weight(INDICES))
    return {name: p.grad for name, p in supernet.named_parameters()}


def work(rank: int, folder: Path) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    group = Group(rank, 2)
    found = {name: grad for name, grad in gradients(group).items() if grad is not None}
    torch.save((found, group.mean(float(rank))), folder / f"{rank}.pt")
    dist.destroy_process_group()


def in_two_processes(target: Callable[..., None], *arguments: object) -> list[int | None]:
    """The exit codes; no forks, for this process's other tests leave threads and locks that a fork would wait for."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=target, args=(rank, *arguments)) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(240)
        process.kill()
        process.join()
    return [process.exitcode for process in processes]


@pytest.mark.slow
def test_two_processes_average_their_gradients_over_the_images(tmp_path):
    assert in_two_processes(work, tmp_path) == [0, 0]
    (first, mean), (second, _) = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2))
    parts = [alone(Group(rank, 2)) for rank in range(2)]
    assert mean == 0.5 and first.keys() == {k for k, v in parts[0].items() if v is not None}
    assert "slots.0.depth.7to5_matrix" in first
    means = {name: (parts[0][name] + parts[1][name]) / 2 for name in first}
    largest = max(float(mean.abs().max()) for mean in means.values())  # some gradients are 0 but for rounding
    for name, value in first.items():
        assert torch.equal(value, second[name])
        atol = 1e-5 * float(means[name].abs().max()) + 1e-6 * largest
        assert torch.allclose(value, means[name], atol=atol), name


def alone(group: Group) -> dict[str, torch.Tensor | None]:
    """A rank's own gradients, without the others'."""

    class Apart(Group):
        def parallel(self, model, *, changing=False):
            return model

    return gradients(Apart(group.rank, group.size))


def test_shares_are_all_images_and_weigh_as_many_as_they_are():
    groups = [Group(rank, 4) for rank in range(4)]
    shares = [group.share(INDICES) for group in groups]
    assert sorted(np.concatenate(shares)) == list(INDICES)
    assert [group.weight(INDICES) for group in groups] == pytest.approx([4 * len(s) / 9 for s in shares])
    assert Group().weight(INDICES) == 1.0
    with pytest.raises(BadInput, match="a batch of 7 images for 4 processes; allowed: two or more images each"):
        groups[0].check_batch(7)


def test_a_device_that_is_not_here_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with distributed("auto") as group:
        assert group == Group() and group.is_rank_zero
    with pytest.raises(BadInput, match="device = 'cuda' with 0 GPUs here"):
        pick_device("cuda")


# --- torchrun ---------------------------------------------------------------------------------------------------------

CONFIG = """space = "tiny"
dataset = "digits"
resolutions = [12]
seed = 1
out = "OUT"
[recipe]
batch = 256
[[phases]]
name = "largest"
epochs = 1
lr = 0.2
[[phases]]
name = "expand"
epochs = 2
lr = 0.1
kernels = 0
depths = 0
expands = 0
"""


def torchrun(*arguments: str, **options) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc-per-node",
        "2",
        "--rdzv-backend",
        "c10d",
        "--rdzv-endpoint",
        "localhost:0",
        "-m",
        "hwnas",
        *arguments,
    ]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def without_torchrun(*arguments: str) -> list[int | None]:
    """The same without torchrun: the exit codes of two processes."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    return in_two_processes(be_rank, port, arguments)


def be_rank(rank: int, port: int, arguments: Sequence[str]) -> None:
    known = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "MASTER_ADDR": "localhost", "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in known.items()})
    main(list(arguments))


def children(pid: int) -> list[int]:
    return [int(x) for x in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.slow
def test_killed_and_resumed_it_ends_in_the_same_weights(tmp_path):
    for name in ("whole", "killed"):
        (tmp_path / f"{name}.toml").write_text(CONFIG.replace("OUT", f"{name}.safetensors"))
    killed = torchrun("train", "supernet", str(tmp_path / "killed.toml"))
    state = tmp_path / "killed.safetensors.training"
    while not state.exists() and killed.poll() is None:
        time.sleep(0.02)
    os.kill(children(killed.pid)[1], signal.SIGKILL)
    _, err = killed.communicate()
    lines = [line for line in err.splitlines() if line.startswith("hwnas:")]
    assert killed.returncode != 0 and state.exists() and len(lines) <= 1, err
    # The other process notices it, or torchrun ends it first
    said = (
        r"another process of this training ended; try: the same command again|terminated; .* the same command goes on"
    )
    assert all(re.search(said, line) for line in lines), lines
    assert without_torchrun("train", "supernet", str(tmp_path / "whole.toml")) == [0, 0]
    resumed = torchrun("train", "supernet", str(tmp_path / "killed.toml"))
    out, err = resumed.communicate()
    assert resumed.returncode == 0 and out.count("\n") == 1 and not state.exists(), err
    (a, _), (b, _) = (read_tensors(tmp_path / f"{name}.safetensors") for name in ("whole", "killed"))
    assert all(torch.equal(a[k], b[k]) for k in a)


@pytest.mark.slow
def test_an_error_in_all_processes_is_one_line(tmp_path):
    (tmp_path / "c.toml").write_text(CONFIG.replace("digits", "digitz").replace("OUT", "s.safetensors"))
    process = torchrun("train", "supernet", str(tmp_path / "c.toml"))
    out, err = process.communicate()
    lines = [line for line in err.splitlines() if line.startswith("hwnas: ")]
    assert process.returncode != 0 and out == "" and len(lines) == 1 and "unknown data set 'digitz'" in lines[0]
