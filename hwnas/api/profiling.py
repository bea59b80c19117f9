"""Any model's time on this machine or another, by engine and by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwnas.profile.candidates import engines_of, precisions_of
from hwnas.profile.measure import profile_model
from hwnas.profile.page import check_place, write_page
from hwnas.profile.result import Profiles
from profilers.base import STEADY, Options

if TYPE_CHECKING:
    from torch import nn


def profile(
    model: str | Path | bytes | nn.Module,
    *,
    engine: str = "onnxruntime",
    precision: str = "",
    batch: int | None = None,
    threads: int = 1,
    shapes: Mapping[str, Sequence[int]] | None = None,
    inputs: Any = None,
    state: str = STEADY,
    host: str = "",
    html: Path | str | None = None,
) -> Profiles:
    """Measure any model, end to end and by layer, on one engine or on all.

    Args:
        model: an ONNX file or what one holds; a torch module; or "python:module:NAME" that gives one.
        engine: a runtime of `hwnas.engines()`, or "all": every one that works here, timed in turns.
        precision: that it computes in, or "all"; by default the model's own, and all with engine "all".
        batch: what a dynamic first dimension becomes, by default 1.
        threads: of the runtime.
        shapes: of inputs by name, where the model leaves them open; "" is the only input.
        inputs: example inputs of a torch module, instead of shapes: a tensor, a sequence, or a mapping.
        state: of the caches: "steady" or "interrupted".
        host: the device that it is measured on, as in "ssh://me@board"; by default this machine.
        html: a file for a page of the result.

    Returns:
        A profile for each engine and precision, the fastest first, and `refused`, why others have none.

    Raises:
        BadInput: no such model, dimensions that are left open, or nothing could be measured.
        DeviceUnreachable: no such device, and why.

    Example:
        >>> import hwnas
        >>> path = hwnas.Networks.sample("tiny", n=1)[0].onnx("model.onnx") and "model.onnx"
        >>> (found,) = hwnas.profile(path)
        >>> found.low <= found.ms <= found.high, found.engine
        (True, 'onnxruntime')
    """
    from hwnas.onnx.open_model import open_model

    if html is not None:
        check_place(Path(html))
    profilers, options = engines_of(engine, host), Options(threads, state=state)
    opened = open_model(model, shapes, batch, inputs=inputs)
    found = profile_model(opened, profilers, options, precisions_of(precision, engine, opened))
    if html is not None:
        write_page(found, Path(html))
    return found
