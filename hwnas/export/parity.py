"""Parity: whether an engine computes what torch does, and how accurate it is. Found before anything is timed.

    n images   images (n, C, r, r) float32   logits (n, classes) float32

Torch's answers are kept beside the engine (`reference.npz`), so that `hwnas validate` needs no torch network.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hwnas.accuracy.wilson import wilson
from hwnas.export.item import ExportItem
from hwnas.export.quantity import Parity, Quantity
from profilers.base import Session
from profilers.errors import BadInput, MeasurementFailed
from profilers.files import read_bytes, write_bytes

if TYPE_CHECKING:
    from torch import nn

    from hwnas.data import Dataset

Floats = NDArray[np.float32]
REFERENCE = "reference.npz"
NOISE = "seeded noise"
PARITY_IMAGES, PARITY_SEED = 16, 20260
TOGETHER = 64  # images that are in memory, of a split


@dataclass(frozen=True)
class ParityReport:
    """What was found out about an engine; `missing` says why it could not be run here.

    `parity` by the images' name; `dataset` and `split` are those of the accuracy, None without a data set.
    """

    accuracy: Quantity
    parity: Mapping[str, Parity] = field(default_factory=dict)
    dataset: str | None = None
    split: str | None = None
    missing: str = ""


def verify_outputs(item: ExportItem, session: Session | None, folder: Path, missing: str = "") -> ParityReport:
    """Compare an engine with torch on noise and on the data set's last split.

    Args:
        item: the network.
        session: its engine; None where it cannot be run here, and `missing` says why.
        folder: where torch's answers are written, as `REFERENCE`.
        missing: see `session`.

    Raises:
        MeasurementFailed: the engine's answers are not finite.
    """
    noise, data = parity_inputs(item.input_shape), item.dataset
    torch = partial(torch_logits, item.network)
    reference, expected = {"parity_logits": torch(noise)}, None
    if data is not None:
        expected, _ = logits_over(data, data.last_split, item.arch.r, torch)
        reference["split_top1"] = expected.argmax(1).astype(np.int32)
    _write_reference(folder, reference)
    if session is None:
        return ParityReport(Quantity(None, "%", f"not measured: {missing}"), missing=missing)
    parity = {NOISE: compare_logits(logits_of(session, noise), reference["parity_logits"])}
    if data is None or expected is None:
        return ParityReport(Quantity(None, "%", f"not measured: {_no_accuracy(item)}"), parity)
    got, labels = logits_over(data, data.last_split, item.arch.r, partial(logits_of, session))
    name = f"{data.name} {data.last_split} split"
    accuracy = _accuracy(got, labels, name)
    return ParityReport(accuracy, {**parity, name: compare_logits(got, expected)}, data.name, data.last_split)


def _no_accuracy(item: ExportItem) -> str:
    return next(iter(item.warnings), "no labelled images")


def _accuracy(logits: Floats, labels: NDArray[Any], name: str) -> Quantity:
    value = top1(logits, labels)
    how = f"measured: this engine on {len(logits)} images, {name}, 95 % Wilson interval"
    return Quantity(value, "%", how, *wilson(value, len(logits)))


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


def logits_over(
    dataset: Dataset, split: str, size: int, answer: Callable[[Floats], Floats], count: int | None = None
) -> tuple[Floats, NDArray[Any]]:
    """Logits (n, classes) of `answer`, and labels (n,), over a split or `count` images of it."""
    batches = dataset.batches(split, size, TOGETHER, count)
    parts = [(answer(images.numpy()), labels.numpy()) for images, labels in batches]
    logits, labels = (np.concatenate(part) for part in zip(*parts, strict=True))
    return logits, labels


def compare_logits(got: Floats, reference: Floats) -> Parity:
    """Compare two (n, classes) arrays of logits; MeasurementFailed if the engine's are not finite."""
    if got.shape != reference.shape or not np.isfinite(got).all():
        raise MeasurementFailed(f"the engine's logits {got.shape} are not finite, or not of shape {reference.shape}")
    difference = float(np.abs(got - reference).max())
    same = float((got.argmax(1) == reference.argmax(1)).mean())
    return Parity(difference, difference / max(float(np.abs(reference).max()), 1e-12), same, len(got))


def top1(logits: Floats, labels: NDArray[Any]) -> float:
    """Share of images whose largest logit is their label, in %."""
    return 100 * float((logits.argmax(1) == labels).mean())


def _write_reference(folder: Path, reference: Mapping[str, Any]) -> None:
    stream = io.BytesIO()
    np.savez_compressed(stream, allow_pickle=False, **reference)
    write_bytes(folder / REFERENCE, stream.getvalue())


def read_reference(folder: Path) -> dict[str, Any]:
    """Torch's answers: "parity_logits" (16, classes), and "split_top1" (n,) where there is a data set."""
    try:
        with np.load(io.BytesIO(read_bytes(folder / REFERENCE)), allow_pickle=False) as stored:
            return dict(stored)
    except (ValueError, OSError, EOFError) as error:
        raise BadInput(f"{folder / REFERENCE} is damaged: {error}", remedy="export it again") from error
