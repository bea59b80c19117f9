"""The torch network itself as a session, eager or compiled: what the engines are compared with."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np

from profilers.base import Feeds, Options, Tensor
from profilers.errors import EngineUnavailable, HwnasError
from profilers.runtimes.torch.aot import quiet
from profilers.runtimes.torch.levels import Level
from profilers.runtimes.torch.place import Cpu
from profilers.runtimes.torch.session import TorchSession

if TYPE_CHECKING:
    from torch import nn


def torch_session(
    network: nn.Module, inputs: tuple[int, ...] | Feeds, threads: int, *, compiled: bool = False
) -> TorchSession:
    """A copy of a module in evaluation mode, on the CPU and in torch's usual layout.

    Args:
        network: a network, or any module.
        inputs: (N, C, r, r) of a network's images, which are noise then; or a module's inputs in forward's order.
        threads: of torch.
        compiled: through `torch.compile`, which compiles at once (half a minute).

    Raises:
        EngineUnavailable: no compiler, or the network cannot be compiled or run.
    """
    if isinstance(inputs, tuple):
        inputs = {"input": np.random.default_rng(0).standard_normal(inputs, dtype=np.float32)}
    ports = {name: Tensor(values.shape, values.dtype.name) for name, values in inputs.items()}
    level = Level("compile" if compiled else "eager", channels_last=False)
    try:
        with quiet():
            return TorchSession(copy.deepcopy(network), ports, Options(threads), level, Cpu(threads), feeds=inputs)
    except EngineUnavailable:
        raise
    except HwnasError as error:
        raise EngineUnavailable(str(error)) from error
    except Exception as error:  # what a foreign module raises has no common base
        said = (str(error) or type(error).__name__).splitlines()[0]
        raise EngineUnavailable(f"torch cannot run the network: {said}") from error
