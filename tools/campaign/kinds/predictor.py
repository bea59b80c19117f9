"""once-for-all's accuracy predictor (.pth): what differs from the published file must be named."""

from __future__ import annotations

import io
from functools import partial
from pathlib import Path
from random import Random

import numpy as np

from tools.campaign.case import Case, Kind
from tools.campaign.kinds.published_table import PUBLISHED
from tools.campaign.mutations import of_bytes

FILE = PUBLISHED / "ofa/acc_predictor.pth"
NAME = "acc_predictor.pth"


def _prepare(folder: Path) -> None:
    (folder / NAME).write_bytes(FILE.read_bytes() if FILE.is_file() else _made())
    (folder / "right").write_text(predicted(folder / NAME))


def _made() -> bytes:
    """One of the same shapes, where the published one is not."""
    import torch

    from hwnas.ofa.predictor import _SHAPES

    torch.manual_seed(0)
    state = {f"{k}.weight": torch.randn(shape) / 50 for k, shape in _SHAPES.items()}
    state |= {f"{k}.bias": torch.full(shape[:1], 0.2) for k, shape in _SHAPES.items()}
    stream = io.BytesIO()
    torch.save(state, stream)
    return stream.getvalue()


def _mutate(random: Random, prepared: Path, here: Path) -> Case:
    data = (prepared / NAME).read_bytes()
    if random.random() < 0.5:
        what, data = of_bytes(random, data)
    else:
        at = random.randrange(len(data))
        what, data = f"bit of {at}", data[:at] + bytes([data[at] ^ 1 << random.randrange(8)]) + data[at + 1 :]
    (here / NAME).write_bytes(data)
    right = (prepared / "right").read_text()
    return Case(what, (partial(predicted, Path(NAME)),), lambda i, out: _wrong(out, right))


def predicted(path: Path) -> str:
    """What is said while it is opened on the first line, then its predictions."""
    from contextlib import redirect_stderr

    import hwnas
    from hwnas.ofa.predictor import RESOLUTIONS, OfaPredictor

    said, space = io.StringIO(), hwnas.get_space("mbv3", list(RESOLUTIONS))
    with redirect_stderr(said):
        source = OfaPredictor(path, space)
    found = source.evaluate_genes(space.sample(50, np.random.default_rng(0)))
    return f"{' '.join(said.getvalue().split())}\n{found.tolist()}"


def _wrong(output: str, right: str) -> str:
    said, numbers = output.split("\n")
    if not all(0 <= value <= 100 for value in map(float, numbers.strip("[]").split(","))):
        return f"top-1 {numbers[:100]}"
    return "" if numbers == right.split("\n")[1] or "not the published file" in said else "other numbers, unnamed"


KIND = Kind("predictor", "once-for-all's predictor, .pth", _prepare, _mutate, short=6)
