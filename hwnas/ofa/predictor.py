"""once-for-all's published accuracy predictor of the MobileNetV3 space, computed with NumPy.

    n networks   128 features: kernel one-hot of 20 slots (3, 5, 7), expand one-hot of 20 slots (3, 4, 6), zeros where a
    slot is absent, and eight resolution flags, index (r - 112) / 16
    128 -> 400 -> 400 -> 400 -> 1, ReLU between; the answer is top-1 as a fraction

Source: `acc_predictor.pth` of han-cai/files, a state dict "0.weight" … "6.bias". It was trained for five resolutions;
below them its answers are not even monotonic, so other resolutions are refused. It was fitted to held-out training
images, on which networks do better than on ImageNet's validation images, whose figures are published: see `remark`.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwnas.space import Architecture, Genes, SearchSpace
from profilers.errors import BadInput
from profilers.files import read_bytes
from profilers.progress import say
from profilers.published import doubt, is_published

RESOLUTIONS = (160, 176, 192, 208, 224)
_SHAPES = {"0": (400, 128), "2": (400, 400), "4": (400, 400), "6": (1, 400)}
_REMEDY = "hwnas fetch acc_predictor.pth"
_FIRST, _STEP, _FLAGS = 112, 16, 8


class OfaPredictor:
    """Predicted ImageNet top-1 of width-1.0 `mbv3` networks."""

    def __init__(self, path: Path, space: SearchSpace) -> None:
        if (space.slots, space.combinations, space.width) != (20, tuple(product((3, 5, 7), (3, 4, 6))), 1.0):
            raise BadInput(f"OFA's accuracy predictor for space {space.name}", "mbv3 (width 1.0)")
        if bad := sorted(set(space.resolutions) - set(RESOLUTIONS)):
            allowed = ", ".join(map(str, RESOLUTIONS))
            raise BadInput(f"OFA's accuracy predictor at {bad[0]} px", allowed, f"resolutions = [{allowed}]")
        self.space = space
        self._path, self._layers = path, _read(path)

    def evaluate(self, arch: Architecture) -> float:
        """Predicted top-1 in percent."""
        return float(self.evaluate_genes(self.space.encode([arch]))[0])

    def evaluate_genes(self, genes: Genes) -> NDArray[np.float64]:
        """(n,) predicted top-1 in percent of canonical genes."""
        x = self._features(genes)
        for i, (weight, bias) in enumerate(self._layers):
            x = x @ weight.T + bias
            if i < len(self._layers) - 1:
                x = np.maximum(x, 0.0)
        top1: NDArray[np.float64] = 100.0 * x[:, 0]
        if not ((top1 >= 0) & (top1 <= 100)).all():
            raise BadInput(f"{self._path} predicts {top1.min():.4g} to {top1.max():.4g} % top-1", "0 to 100", _REMEDY)
        return top1

    def _features(self, genes: Genes) -> NDArray[np.float64]:
        flags = (genes[:, 1:, None] == np.arange(1, 4)).reshape(len(genes), -1)
        pixels = np.array(self.space.resolutions)[genes[:, 0] - 1]
        resolution = (pixels - _FIRST)[:, None] // _STEP == np.arange(_FLAGS)
        return np.concatenate([flags, resolution], axis=1, dtype=np.float64)


def _read(path: Path) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    import io

    import torch

    data = read_bytes(path)
    try:
        state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        layers = [(state[f"{k}.weight"].double().numpy(), state[f"{k}.bias"].double().numpy()) for k in _SHAPES]
    except Exception as error:  # whatever torch makes of a file that is not a checkpoint
        got = f"{path} is not OFA's accuracy predictor ({type(error).__name__})"
        raise BadInput(got, "acc_predictor.pth") from error
    if not all(np.isfinite(values).all() for layer in layers for values in layer):
        raise BadInput(f"{path} holds numbers that are not finite", "acc_predictor.pth", _REMEDY)
    for (weight, bias), shape in zip(layers, _SHAPES.values(), strict=True):
        if weight.shape != shape or bias.shape != shape[:1]:
            raise BadInput(f"{path} has a layer of shape {weight.shape}", f"{shape} (acc_predictor.pth)")
    if not is_published(data):
        say(f"hwnas: {doubt([str(path)])}")
    return layers
