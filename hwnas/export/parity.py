"""Parity: whether an engine computes what its reference does, and how accurate it is. Found before anything is timed.

    feeds, outputs, rows   see `hwnas.export.exportable`      logits (n, classes) float32

The reference's answers are kept beside the engine (`reference.npz`), so that `hwnas validate` needs no reference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hwnas.accuracy.wilson import wilson
from hwnas.export.answers import StoredAnswers, write_answers
from hwnas.export.classes import Classes, count_classes
from hwnas.export.exportable import Exportable, Floats, Labelled, Outputs, Tensors, Values
from hwnas.export.quantity import OutputParity, Parity, Quantity
from profilers.base import Feeds, Session
from profilers.errors import MeasurementFailed

if TYPE_CHECKING:
    from torch import nn

NOISE = "seeded noise"
PARITY_IMAGES, PARITY_SEED = 16, 20260
TOGETHER = 64  # images that are in memory, of a split


@dataclass(frozen=True)
class ParityReport:
    """What was found out about an engine; `missing` says why it could not be run here.

    `parity` by the inputs' name, against `reference`; `dataset` and `split` are those of the accuracy, `classes` its
    counts by class, all None without labelled images.
    """

    accuracy: Quantity
    reference: str
    parity: Mapping[str, Parity] = field(default_factory=dict)
    dataset: str | None = None
    split: str | None = None
    missing: str = ""
    classes: Classes | None = None


def verify_outputs(
    item: Exportable, session: Session | None, folder: Path, missing: str = "", batch: int = 1
) -> ParityReport:
    """Compare an engine with its reference on noise and on labelled images.

    Args:
        item: the network.
        session: its engine; None where it cannot be run here, and `missing` says why.
        folder: where the reference's answers are written, as `answers.FILE`.
        missing: see `session`.
        batch: that of the engine.

    Raises:
        MeasurementFailed: outputs that are not finite where the reference's are, or of another shape.
    """
    reference, checks, data = item.reference(batch), item.checks(batch), item.tested
    expected = [reference.answer(feeds) for feeds in checks.runs]
    logits = None if data is None else logits_over(data, item_logits(item, reference.answer))[0]
    top1_of_all = None if logits is None else logits.argmax(1)
    write_answers(folder, StoredAnswers(checks.runs if checks.stored else (), expected, top1_of_all))
    if session is None:
        return ParityReport(Quantity(None, "%", f"not measured: {missing}"), reference.name, missing=missing)
    parity = {NOISE: compare_runs([run_rows(session, feeds) for feeds in checks.runs], expected)}
    if data is None or logits is None:
        return ParityReport(Quantity(None, "%", f"not measured: {item.lacking}"), reference.name, parity)
    got, labels = logits_over(data, partial(logits_of, session))
    parity[data.name] = compare_logits(got, logits)
    classes = count_classes(got.argmax(1), labels, got.shape[1])
    accuracy = _accuracy(got, labels, data.name)
    return ParityReport(accuracy, reference.name, parity, data.dataset, data.split, classes=classes)


def _accuracy(logits: Floats, labels: NDArray[Any], name: str) -> Quantity:
    value = top1(logits, labels)
    how = f"measured: this engine on {len(logits)} images, {name}, 95 % Wilson interval"
    return Quantity(value, "%", how, *wilson(value, len(logits)))


def parity_inputs(shape: tuple[int, ...]) -> Floats:
    """(16, *shape) standard normal values, the same on every machine (numpy's PCG64, fixed seed)."""
    return np.random.default_rng(PARITY_SEED).standard_normal((PARITY_IMAGES, *shape), dtype=np.float32)


def run_rows(session: Session, feeds: Feeds) -> Outputs:
    """Outputs for the feeds of one run, or for rows of any number; see `in_batches`."""
    return in_batches(session.run_on, session.inputs, feeds)


def in_batches(answer: Callable[[Feeds], Outputs], inputs: Tensors, feeds: Feeds) -> Outputs:
    """Outputs for rows that are run in batches, the last one filled up; feeds of the inputs' shapes are one run."""
    typed = {name: np.asarray(values).astype(inputs[name].dtype, copy=False) for name, values in feeds.items()}
    if all(values.shape == inputs[name].shape for name, values in typed.items()):
        return answer(typed)
    batch, rows = (shape[0] for shape in (next(iter(inputs.values())).shape, next(iter(typed.values())).shape))
    parts = []
    for start in range(0, rows, batch):
        count = min(batch, rows - start)
        piece = {name: _filled(values[start : start + count], batch) for name, values in typed.items()}
        parts.append({name: values[:count] for name, values in answer(piece).items()})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _filled(rows: Values, batch: int) -> Values:
    return np.concatenate([rows, np.repeat(rows[-1:], batch - len(rows), axis=0)])


def logits_of(session: Session, rows: Values) -> Floats:
    """(n, classes) for rows of the only input, run in the batch of the session."""
    return only(run_rows(session, {next(iter(session.inputs)): rows}))


def item_logits(item: Exportable, answer: Callable[[Feeds], Outputs]) -> Callable[[Values], Floats]:
    """The reference's logits (n, classes) for rows of the network's only input."""
    (name,) = item.ports(1)[0]
    return lambda rows: only(answer({name: rows}))


def only(outputs: Outputs) -> Floats:
    """The one output, as float32."""
    (values,) = outputs.values()
    return np.asarray(values, np.float32)


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
    data: Labelled, answer: Callable[[Values], Floats], count: int | None = None
) -> tuple[Floats, NDArray[Any]]:
    """Logits (n, classes) of `answer`, and labels (n,), over all images or a sample of `count`."""
    parts = [(answer(rows), labels) for rows, labels in data.batches(count)]
    logits, labels = (np.concatenate(part) for part in zip(*parts, strict=True))
    return logits, labels


def compare_logits(got: Floats, reference: Floats) -> Parity:
    """Compare two (n, classes) arrays of logits; MeasurementFailed as of `compare_runs`."""
    return compare_runs([{"logits": got}], [{"logits": reference}])


def compare_runs(got: list[Outputs], reference: list[Outputs]) -> Parity:
    """Compare the outputs of some runs; a class is the largest of the only output's last axis, where it has two.

    Raises:
        MeasurementFailed: outputs of other shapes, or that are not finite where the reference's are.
    """
    each = {name: _compared(name, [g[name] for g in got], [r[name] for r in reference]) for name in reference[0]}
    worst = OutputParity(*(max(values) for values in zip(*(vars(p).values() for p in each.values()), strict=True)))
    first = [next(iter(run.values())) for run in reference]
    rows = sum(len(values) if values.ndim else 1 for values in first)
    same = None
    if len(each) == 1 and first[0].ndim == 2 and first[0].shape[1] > 1 and first[0].dtype.kind == "f":
        pairs = zip(got, first, strict=True)
        same = float(np.concatenate([only(g).argmax(1) == r.argmax(1) for g, r in pairs]).mean())
    return Parity(worst.max_abs, worst.max_rel, same, max(rows, 1), each if len(each) > 1 else {})


def _compared(name: str, got: list[Values], reference: list[Values]) -> OutputParity:
    """Of one output; the arrays are those of some runs."""
    for found, wanted in zip(got, reference, strict=True):
        if found.shape != wanted.shape:
            raise MeasurementFailed(f"the engine's output {name} has shape {found.shape}, not {wanted.shape}")
    flat, right = (np.concatenate([np.ravel(values) for values in side]) for side in (got, reference))
    if right.dtype.kind not in "fc":
        different = flat != right
        size = np.abs(flat.astype(np.float64) - right.astype(np.float64)).max(initial=0.0)
        return OutputParity(float(size), float(different.mean()) if len(different) else 0.0)
    finite = np.isfinite(right)
    if not np.isfinite(flat[finite]).all() or not np.array_equal(flat[~finite], right[~finite], equal_nan=True):
        raise MeasurementFailed(f"the engine's output {name} is not finite where the reference's is")
    flat, right = flat[finite].astype(np.float64), right[finite].astype(np.float64)
    difference = float(np.abs(flat - right).max(initial=0.0))
    return OutputParity(difference, difference / max(float(np.abs(right).max(initial=0.0)), 1e-12))


def top1(logits: Floats, labels: NDArray[Any]) -> float:
    """Share of images whose largest logit is their label, in %."""
    return 100 * float((logits.argmax(1) == labels).mean())
