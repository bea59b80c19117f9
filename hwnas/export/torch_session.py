"""The torch network itself as a session, eager or compiled: what the engines are compared with."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from profilers.base import Feeds, Session, Tensor
from profilers.errors import EngineUnavailable
from profilers.runtimes.torch.aot import quiet, require_compiler

if TYPE_CHECKING:
    from torch import nn


class TorchSession(Session):
    """A copy of a module in evaluation mode on bound inputs, without gradients.

    Args:
        network: a network, or any module.
        inputs: (N, C, r, r) of a network's images, which are noise then; or a module's inputs in forward's order.
        threads: those of torch, which `profilers.timing.measurement` has set.
        compiled: through `torch.compile`, which compiles here, at once (half a minute).

    Raises:
        EngineUnavailable: no compiler, or compiling failed.
    """

    def __init__(
        self, network: nn.Module, inputs: tuple[int, ...] | Feeds, threads: int, *, compiled: bool = False
    ) -> None:
        import torch

        self.torch, self.threads = torch, threads
        if isinstance(inputs, tuple):
            inputs = {"input": np.random.default_rng(0).standard_normal(inputs, dtype=np.float32)}
        self.inputs = {name: Tensor(values.shape, values.dtype.name) for name, values in inputs.items()}
        self.values = {name: torch.from_numpy(np.array(values)) for name, values in inputs.items()}
        copied = copy.deepcopy(network).cpu().eval()
        self.network = _compiled(copied) if compiled else copied
        try:
            with quiet():
                self.run()
        except Exception as error:  # the compiler's errors have no common base
            raise EngineUnavailable(f"torch cannot run the network: {str(error).splitlines()[0]}") from error
        self.outputs = {name: Tensor(values.shape, values.dtype.name) for name, values in self._fetch().items()}

    def run(self) -> None:
        """One forward pass."""
        with self.torch.inference_mode():
            self.result = self.network(*self.values.values())

    def _feed(self, feeds: Feeds) -> None:
        for name, values in feeds.items():
            self.values[name].copy_(self.torch.from_numpy(values))

    def _fetch(self) -> dict[str, NDArray[Any]]:
        if isinstance(self.result, self.torch.Tensor):
            return {"logits": np.array(self.result.numpy())}
        from torch.utils._pytree import tree_flatten

        found = [x for x in tree_flatten(self.result)[0] if isinstance(x, self.torch.Tensor)]
        return {f"output_{i}": np.array(x.numpy()) for i, x in enumerate(found)}


def _compiled(network: nn.Module) -> nn.Module:
    import torch

    require_compiler()
    from torch._inductor import config  # its pool of compiling processes would outlive the compilation

    config.compile_threads = 1
    return cast("nn.Module", torch.compile(network))
