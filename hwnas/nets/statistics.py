"""BatchNorm's running statistics, taken from images: each layer's exact mean and variance over all of them.

    x (N, C, ...)  a layer's input, one batch      n  values a channel      M2 (C,)  sum of squared deviations

A layer sees activations that the layers before it have normalised by their batch, as in training; the batches' means
and variances are then pooled by how many values each has. Source: Chan, Golub and LeVeque 1983, equation 2.1.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class _Moments:
    """Mean and squared deviations of one layer's inputs so far, in double precision."""

    def __init__(self, norm: _BatchNorm) -> None:
        self.norm, self.count = norm, 0
        self.mean = self.m2 = torch.zeros(())

    def add(self, _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        """A batch (a forward pre-hook)."""
        x = inputs[0]
        count = x.numel() // x.shape[1]
        var, mean = torch.var_mean(x.float(), [d for d in range(x.ndim) if d != 1], correction=0)
        mean, m2 = mean.double(), var.double() * count
        if self.count:
            total, delta = self.count + count, mean - self.mean
            mean = self.mean + delta * (count / total)
            m2 = self.m2 + m2 + delta**2 * (self.count * count / total)
        self.count, self.mean, self.m2 = self.count + count, mean, m2

    def store(self) -> None:
        """Into the layer, the variance unbiased as torch's; a layer that no batch came through keeps its own."""
        mean, var = self.norm.running_mean, self.norm.running_var
        if self.count and mean is not None and var is not None:
            mean.copy_(self.mean)
            var.copy_(self.m2 / max(self.count - 1, 1))


@torch.no_grad()
def take_statistics(network: nn.Module, batches: Iterable[Tensor | tuple[Tensor, ...]]) -> None:
    """Set every BatchNorm's running statistics to those of `batches`, (n, C, r, r) each, of two images or more.

    A network of several inputs takes a tuple.

    Nothing else of the network changes, but it is left in evaluation mode.
    """
    device = next((p.device for p in network.parameters()), torch.device("cpu"))
    moments = [_Moments(m) for m in network.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    network.eval()  # dropped branches would change the statistics
    with ExitStack() as stack:
        for each in moments:
            stack.callback(each.norm.register_forward_pre_hook(each.add).remove)
            each.norm.train()
        for images in batches:
            network(*(x.to(device) for x in (images if isinstance(images, tuple) else (images,))))
    for each in moments:
        each.store()
    network.eval()
