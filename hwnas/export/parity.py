"""Parity and accuracy of an engine, found before it is timed; torch's answers are kept for whoever checks it again."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hwnas.accuracy.wilson import wilson
from hwnas.export import check
from hwnas.export.build import Built
from hwnas.export.check import Parity
from hwnas.export.datasheet import Figure
from hwnas.export.item import Job
from profilers.errors import BadInput
from profilers.files import read_bytes, write_bytes

REFERENCE = "reference.npz"
NOISE = "seeded noise"


@dataclass(frozen=True)
class Proof:
    """What was found out about an engine; `missing` says why it could not be run here.

    `parity` by the images' name; `dataset` and `split` are those of the accuracy, None without a data set.
    """

    accuracy: Figure
    parity: Mapping[str, Parity] = field(default_factory=dict)
    dataset: str | None = None
    split: str | None = None
    missing: str = ""


def prove(job: Job, built: Built) -> Proof:
    """Compare the engine with torch on noise and on the data set's last split; writes torch's answers beside it."""
    noise, data = check.parity_inputs(job.input_shape), job.dataset
    torch = partial(check.torch_logits, job.network)
    reference, expected = {"parity_logits": torch(noise)}, None
    if data is not None:
        expected, _ = check.over(data, data.last_split, job.arch.r, torch)
        reference["split_top1"] = expected.argmax(1).astype(np.int32)
    _keep(built, reference)
    if built.session is None:
        return Proof(Figure(None, "%", f"not measured: {built.missing}"), missing=built.missing)
    parity = {NOISE: check.parity(check.logits_of(built.session, noise), reference["parity_logits"])}
    if data is None or expected is None:
        return Proof(Figure(None, "%", f"not measured: {next(iter(job.warnings), 'no labelled images')}"), parity)
    name = f"{data.name} {data.last_split} split"
    got, labels = check.over(data, data.last_split, job.arch.r, partial(check.logits_of, built.session))
    top1, how = check.top1(got, labels), f"measured: this engine on {len(got)} images, {name}, 95 % Wilson interval"
    accuracy = Figure(top1, "%", how, *wilson(top1, len(got)))
    return Proof(accuracy, {**parity, name: check.parity(got, expected)}, data.name, data.last_split)


def _keep(built: Built, reference: Mapping[str, Any]) -> None:
    stream = io.BytesIO()
    np.savez_compressed(stream, allow_pickle=False, **reference)
    write_bytes(built.folder / REFERENCE, stream.getvalue())
    built.files.append(REFERENCE)


def read_reference(folder: Path) -> dict[str, Any]:
    """Torch's answers: "parity_logits" (16, classes), and "split_top1" (n,) where there is a data set."""
    try:
        with np.load(io.BytesIO(read_bytes(folder / REFERENCE)), allow_pickle=False) as stored:
            return dict(stored)
    except (ValueError, OSError, EOFError) as error:
        raise BadInput(f"{folder / REFERENCE} is damaged: {error}", remedy="export it again") from error
