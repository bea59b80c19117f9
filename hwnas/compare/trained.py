"""Accuracies of a fine-tuning's folder (`hwnas train finetune`) beside what is compared: on the user's own images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from hwnas.compare.count import count
from hwnas.compare.known import Known, to_onnx
from hwnas.compare.measure import Row, of_known
from profilers.errors import BadInput
from profilers.proportions import wilson


def known_names(folder: Path) -> tuple[str, ...]:
    """Known networks that the folder holds; BadInput if it is none."""
    from hwnas.nets.known import KIND
    from hwnas.nets.tensorfile import read_tensors

    if not folder.is_dir():
        raise BadInput(f"--weights {folder}", "the folder of a fine-tuning (its out)")
    heads = {path.stem: read_tensors(path)[1] for path in sorted(folder.glob("*.safetensors"))}
    return tuple(name for name, head in heads.items() if head.get("kind") == KIND)


def known_row(folder: Path, name: str, batch: int) -> tuple[Row, bytes]:
    """A known network as it was trained: its size and classes, and its accuracy on those images."""
    from hwnas.nets.known import load_known

    found = load_known(folder / f"{name}.safetensors")
    model = to_onnx(found.network, found.size, batch)
    row, _ = of_known(Known(found.name, "torchvision", found.size, model, count(found.network, model)))
    return judged(row, found.provenance.training.get("facts")), model


def own_row(folder: Path, row: Row) -> Row:
    """A network of the run with the accuracy of its fine-tuning, where the folder holds it."""
    path = folder / f"{row.name}.safetensors"
    if not path.is_file():
        return row
    from hwnas.nets.checkpoint import load_network

    return judged(row, load_network(path)[2].training.get("facts"))


def judged(row: Row, facts: Any) -> Row:
    """With top-1 of the test images, or of the validation images where there are none."""
    for split in ("test", "val") if isinstance(facts, Mapping) else ():
        value, images = facts.get(f"{split}_top1"), facts.get(f"{split}_images")
        if isinstance(value, int | float):
            row = replace(row, top1=float(value), predicted_top1=None, remark=f"fine-tuned, {split} images")
            if isinstance(images, int) and images > 0:
                low, high = wilson(float(value), images)
                row = replace(row, top1_low=low, top1_high=high, images=images)
            return row
    return row
