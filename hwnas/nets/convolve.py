"""Convolution as the networks here call it, with a short cut for depthwise kernels larger than their image.

    x  (N, C, s, s)      weight  (C, 1, k, k)      taps  (k * k, s * s * o * o): which pixel each tap reads, 0 or 1

On a CPU, torch's backward pass of a depthwise convolution takes a time that grows with C k k however small the image
is. For images smaller than the kernel, a matrix product per channel is several times faster. Networks for 8 x 8 digits
consist of such layers.
"""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from hwnas.space import Convolution


def convolve(x: Tensor, weight: Tensor, bias: Tensor | None, c: Convolution) -> Tensor:
    """(N, in, s, s) -> (N, out, o, o): convolution with padding kernel // 2."""
    if c.groups == c.in_channels > 1 and c.kernel > x.shape[-1] and weight.requires_grad and bias is None:
        return _depthwise_product(x, weight, c.stride)
    return F.conv2d(x, weight, bias, c.stride, c.kernel // 2, groups=c.groups)


def _depthwise_product(x: Tensor, weight: Tensor, stride: int) -> Tensor:
    n, channels, size, _ = x.shape
    out = -(-size // stride)
    taps = _taps(size, weight.shape[-1], stride).to(weight)
    matrices = (weight.flatten(1) @ taps).view(channels, size * size, out * out)
    y = torch.bmm(x.flatten(2).transpose(0, 1), matrices)  # (C, N, o * o)
    return y.transpose(0, 1).reshape(n, channels, out, out)


@lru_cache(maxsize=256)
@torch.inference_mode(False)  # kept beyond the call: one made while validating must serve training too
@torch.no_grad()
def _taps(size: int, kernel: int, stride: int) -> Tensor:
    pixels = torch.eye(size * size).view(-1, 1, size, size)
    taps = torch.eye(kernel * kernel).view(-1, 1, kernel, kernel)
    read = F.conv2d(pixels, taps, stride=stride, padding=kernel // 2)  # (s * s, k * k, o, o)
    return read.transpose(0, 1).flatten(1)
