"""int8 of models made elsewhere, by ONNX Runtime's own static quantisation (QDQ), which knows all operators.

`profilers.onnx.quantise` is for networks of a space: it is written for their operators, and measured on them.
Weights have a scale a channel, of 7 bits where this CPU's 16-bit sums would saturate. Ranges are the mean of each run's
smallest and largest value: less wide than the extremes of all runs.
Source: ONNX Runtime, "Quantize ONNX models".
"""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from profilers import temporary
from profilers.base import Feeds
from profilers.errors import BadInput
from profilers.files import read_bytes
from profilers.onnx.quantise import QuantConfig


def quantise_model(model: bytes, runs: Sequence[Feeds], config: QuantConfig | None = None) -> bytes:
    """Quantise a float32 model.

    Args:
        model: ONNX; its batch may be dynamic.
        runs: feeds of batch 1 that set the ranges.
        config: by default as this machine's CPU wants.

    Raises:
        BadInput: a model that ONNX Runtime cannot quantise or run, or that has nothing to quantise.
    """
    with temporary.scratch("int8") as folder, _quiet():
        source, target = Path(folder) / "model.onnx", Path(folder) / "int8.onnx"
        source.write_bytes(model)
        try:
            _quantise(source, target, runs, config or QuantConfig.for_this_cpu())
            data = read_bytes(target)
        except Exception as error:  # ORT's exceptions have no common base
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise BadInput(f"ONNX Runtime cannot quantise the model: {reason}", "a float32 model") from error
    if b"QuantizeLinear" not in data:
        raise BadInput("a model in which ONNX Runtime finds nothing to quantise", "one with convolutions or products")
    return data


def note(runs: Sequence[Feeds], source: str, config: QuantConfig) -> str:
    """What was done to the weights, for a datasheet."""
    bits = "7 bits, since integer sums of this CPU saturate with 8" if config.reduce_range else "8 bits"
    return f"int8 by ONNX Runtime's static quantisation, weights of {bits}, ranges from {len(runs)} of {source}"


def _quantise(source: Path, target: Path, runs: Sequence[Feeds], config: QuantConfig) -> None:
    from onnxruntime import quantization as q
    from onnxruntime.quantization.shape_inference import quant_pre_process

    prepared = source.with_name("prepared.onnx")
    quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
    q.quantize_static(
        str(prepared),
        str(target),
        _Reader(runs),
        quant_format=q.QuantFormat.QDQ,
        per_channel=True,
        reduce_range=config.reduce_range,
        activation_type=q.QuantType.QInt8 if config.symmetric else q.QuantType.QUInt8,
        weight_type=q.QuantType.QInt8,
        calibrate_method=q.CalibrationMethod.MinMax,
        extra_options={"CalibMovingAverage": True, "ActivationSymmetric": config.symmetric, "WeightSymmetric": True},
    )


class _Reader:
    """As ONNX Runtime asks for calibration data."""

    def __init__(self, runs: Sequence[Feeds]) -> None:
        self.runs = runs
        self.rewind()

    def get_next(self) -> dict[str, Any] | None:
        """The feeds of the next run, None behind the last."""
        found = next(self.left, None)
        return None if found is None else dict(found)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (dict(run) for run in self.runs)

    def rewind(self) -> None:
        """From the first again."""
        self.left = iter(self.runs)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without ONNX Runtime's advice to preprocess a model, which was done."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(before)
