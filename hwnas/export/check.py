"""What a session computes: parity with the reference logits, and accuracy over labelled images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from profilers.base import Session
from profilers.errors import MeasurementFailed

if TYPE_CHECKING:
    from torch import nn

    from hwnas.data import Dataset

Floats = NDArray[np.float32]
PARITY_IMAGES, PARITY_SEED = 16, 20260
TOGETHER = 64  # images that are in memory, of a split


@dataclass(frozen=True)
class Parity:
    """How far an engine's logits are from the reference's; `max_rel` is relative to the largest logit."""

    max_abs: float
    max_rel: float
    top1_agreement: float
    images: int

    def to_json(self) -> dict[str, Any]:
        """All fields."""
        return dict(vars(self))


def parity_inputs(shape: tuple[int, int, int]) -> Floats:
    """(16, C, r, r) standard normal images, the same on every machine (numpy's PCG64, fixed seed)."""
    return np.random.default_rng(PARITY_SEED).standard_normal((PARITY_IMAGES, *shape), dtype=np.float32)


def logits_of(session: Session, images: Floats) -> Floats:
    """(n, classes) for (n, C, r, r), run in the batch of the session; the last batch is filled up."""
    batch, found = session.input_shape[0], []
    for start in range(0, len(images), batch):
        part = images[start : start + batch]
        filled = np.concatenate([part, np.repeat(part[-1:], batch - len(part), axis=0)])
        found.append(session.infer(np.ascontiguousarray(filled))[: len(part)])
    return np.concatenate(found)


def torch_logits(network: nn.Module, images: Floats) -> Floats:
    """(n, classes) of the torch network for (n, C, r, r), in evaluation mode; it is left in its own."""
    import torch

    from hwnas.nets.network import evaluating

    device = next((p.device for p in network.parameters()), torch.device("cpu"))
    with evaluating(network), torch.inference_mode():
        starts = range(0, len(images), TOGETHER)
        parts = [network(torch.from_numpy(images[i : i + TOGETHER]).to(device)) for i in starts]
    logits: Floats = torch.cat(parts).cpu().numpy()
    return logits


def over(
    dataset: Dataset, split: str, size: int, answer: Callable[[Floats], Floats], count: int | None = None
) -> tuple[Floats, NDArray[Any]]:
    """Logits (n, classes) of `answer`, and labels (n,), over a split or `count` images of it."""
    batches = dataset.batches(split, size, TOGETHER, count)
    parts = [(answer(images.numpy()), labels.numpy()) for images, labels in batches]
    logits, labels = (np.concatenate(part) for part in zip(*parts, strict=True))
    return logits, labels


def parity(got: Floats, reference: Floats) -> Parity:
    """Compare two (n, classes) arrays of logits; MeasurementFailed if the engine's are not finite."""
    if got.shape != reference.shape or not np.isfinite(got).all():
        raise MeasurementFailed(f"the engine's logits {got.shape} are not finite, or not of shape {reference.shape}")
    difference = float(np.abs(got - reference).max())
    same = float((got.argmax(1) == reference.argmax(1)).mean())
    return Parity(difference, difference / max(float(np.abs(reference).max()), 1e-12), same, len(got))


def top1(logits: Floats, labels: NDArray[Any]) -> float:
    """Share of images whose largest logit is their label, in %."""
    return 100 * float((logits.argmax(1) == labels).mean())
