"""`reference.npz`: the inputs and the reference's answers that stay beside an engine, bounded in size.

    feed_R_I      input number I of run R; left out where the inputs are seeded noise that can be made again
    answer_R_I    output number I of run R: all of it, or every so many of its values (`sampled`)
    split_top1    (n,) the reference's class of each labelled image

Schema 5 of the datasheet and before: "parity_logits" (16, classes) for "answer_0_0".
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hwnas.export.exportable import Outputs, Values
from profilers.arrays import read_arrays
from profilers.base import Feeds
from profilers.errors import BadInput
from profilers.files import write_bytes

FILE = "reference.npz"
LIMIT = 2**19  # values of an output that are kept of a run


@dataclass(frozen=True)
class StoredAnswers:
    """Inputs by run (none where they can be made again), the reference's outputs by run, and its classes (n,)."""

    feeds: Sequence[Feeds]
    answers: Sequence[Outputs]
    split_top1: Values | None = None


def sampled(values: Values) -> Values:
    """All values of an output, or of a large one about `LIMIT`, evenly spread, as a flat array."""
    flat = np.ravel(values)
    return values if len(flat) <= LIMIT else flat[:: -(-len(flat) // LIMIT)]


def write_answers(folder: Path, found: StoredAnswers) -> None:
    """Write them."""
    arrays = {f"feed_{r}_{i}": v for r, run in enumerate(found.feeds) for i, v in enumerate(run.values())}
    arrays |= {f"answer_{r}_{i}": sampled(v) for r, run in enumerate(found.answers) for i, v in enumerate(run.values())}
    if found.split_top1 is not None:
        arrays["split_top1"] = found.split_top1.astype(np.int32)
    stream = io.BytesIO()
    np.savez_compressed(stream, allow_pickle=False, **arrays)
    write_bytes(folder / FILE, stream.getvalue())


def read_answers(folder: Path, inputs: Sequence[str], outputs: Sequence[str]) -> StoredAnswers:
    """Those of a folder, under the names that its datasheet has; BadInput where they are damaged."""
    try:
        arrays = read_arrays(folder / FILE)
    except BadInput as error:
        raise BadInput(f"{folder / FILE} is damaged: {error.got}", remedy="export it again") from error
    if "parity_logits" in arrays:
        arrays["answer_0_0"] = arrays["parity_logits"]
    found = StoredAnswers(_runs(arrays, "feed", inputs), _runs(arrays, "answer", outputs), arrays.get("split_top1"))
    runs = len(found.feeds) or (1 if inputs else len(found.answers))  # noise that is made again is one run
    if not found.answers or runs != len(found.answers):
        raise BadInput(f"{folder / FILE} has {len(found.answers)} answers for {runs} runs", remedy="export it again")
    classes = found.split_top1
    if classes is not None and (classes.ndim != 1 or classes.dtype.kind != "i"):
        raise BadInput(f"{folder / FILE}: classes of shape {classes.shape}, {classes.dtype}", remedy="export it again")
    return found


def _runs(arrays: dict[str, Values], kind: str, names: Sequence[str]) -> list[dict[str, Values]]:
    """Run by run, until one is not there whole."""
    runs: list[dict[str, Values]] = []
    while all(f"{kind}_{len(runs)}_{i}" in arrays for i in range(len(names))) and names:
        runs.append({name: arrays[f"{kind}_{len(runs)}_{i}"] for i, name in enumerate(names)})
    return runs
