"""int8 by post-training quantisation: which parts stay in float, and whether the result still is the network.

`profilers.onnx.quantise` writes the model, one for every runtime. On four trained `tiny` networks (400 test images of
digits, AMD EPYC with AVX-512 VNNI, ONNX Runtime 1.32, OpenVINO 2026.4) it lost at most 0.25 points of top-1, with
weights of 7 bits as with 8; NNCF 3.4 (its defaults, the same calibration images) lost 0 to 2.5, so OpenVINO gets this
model too. Where sums saturate in 16 bits (x86 without VNNI or AMX) weights have 7 bits; the datasheet says how many
they have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hwnas.export import parity
from hwnas.export.calibration import Calibration
from hwnas.export.exportable import Floats
from hwnas.onnx.edit import with_batch
from profilers.base import Options
from profilers.errors import BadInput
from profilers.onnx import quantise as ptq
from profilers.onnx.node_names import layer_of
from profilers.onnx.parse import parse
from profilers.registry import get_profiler

TOLERANCE = 0.5  # % of held-out images that may change their class before more is kept in float
LAST_LAYERS = 3  # pool, the 1 x 1 convolution behind it, the classifier
TOGETHER = 4  # images of which all activations are in memory


@dataclass(frozen=True)
class Quantised:
    """A quantised model, what was kept in float ("" for nothing), and the % of held-out images that change class.

    `bits` are those of the weights: 7 where this CPU's integer sums saturate (see `profilers.onnx.quantise`).
    """

    model: bytes
    kept: str
    changed: float
    bits: int = 8

    def note(self, source: str) -> str:
        """What was done to the weights, for a datasheet; `source` names the calibration images."""
        cpu = ", since integer sums of this CPU saturate with 8" if self.bits < 8 else ""
        kept = f"; {self.kept} kept in float" if self.kept else ""
        return f"int8 by quantise and dequantise nodes, weights of {self.bits} bits{cpu}, ranges from {source}{kept}"


def quantise(
    model: bytes, calibration: Calibration, config: ptq.QuantConfig | None = None, *, tolerance: float = TOLERANCE
) -> Quantised:
    """Quantise a float model of batch 1.

    Squeeze-and-excite and the last layers are kept in float only where that saves accuracy: the variant that keeps
    least and changes the class of no more than `tolerance` % of the held-out images is taken, else the one that
    changes fewest. They are judged by ONNX Runtime.

    Args:
        model: float32, of `write_onnx`.
        calibration: images that set the ranges, and those to judge by.
        config: by default as this machine's CPU wants.
        tolerance: see above.

    Raises:
        BadInput: a model or images that do not fit.
    """
    encoding = config or ptq.QuantConfig.for_this_cpu()
    ranges = ptq.calibrate(with_batch(model, TOGETHER), list(_batches(calibration.images)))
    expected = _classes(model, calibration.held_out, "fp32")

    def attempt(kept: str, nodes: Sequence[str]) -> Quantised:
        data = check_quantised(ptq.insert_qdq(model, ranges, encoding, nodes), model)
        changed = 100 * float((_classes(data, calibration.held_out, "int8") != expected).mean())
        return Quantised(data, kept, changed, 7 if encoding.reduce_range else 8)

    return least_protected(float_parts([node.name for node in parse(model).graph.node]), attempt, tolerance)


def least_protected(
    parts: Mapping[str, Sequence[str]], attempt: Callable[[str, Sequence[str]], Quantised], tolerance: float
) -> Quantised:
    """The first attempt that changes no more than `tolerance` %; where none does, the one that changes fewest.

    Args:
        parts: nodes to keep in float by what they are, the least first.
        attempt: quantises with those kept in float.
        tolerance: % of the held-out images that may change their class.
    """
    found: list[Quantised] = []
    for kept, nodes in parts.items():
        found.append(attempt(kept, nodes))
        if found[-1].changed <= tolerance:
            return found[-1]
    return min(found, key=lambda quantised: quantised.changed)


def float_parts(names: Sequence[str]) -> dict[str, list[str]]:
    """Nodes to keep in float by what they are, the least first; `names` are all nodes, in order."""
    gates = [name for name in names if "_se_" in name]
    layers = sorted({index for name in names if (index := layer_of(name)) is not None})
    last = [name for name in names if layer_of(name) in layers[-LAST_LAYERS:]]
    both = "squeeze-and-excite and the last layers" if gates else "the last layers"
    return {"": []} | ({"squeeze-and-excite": gates} if gates else {}) | {both: gates + last}


def check_quantised(data: bytes, original: bytes) -> bytes:
    """The model itself, if it has all nodes of the original, and integer weights.

    Raises:
        BadInput: a node was lost, or nothing was quantised.
    """
    before, after = (parse(m).graph for m in (original, data))
    lost = sorted({node.name for node in before.node} - {node.name for node in after.node})
    if lost or not any(node.op_type == "QuantizeLinear" for node in after.node):
        raise BadInput(f"the quantised model lacks {', '.join(lost) or 'quantised layers'}", "all nodes of the network")
    return data


def _batches(images: Floats) -> list[Floats]:
    """(TOGETHER, C, r, r) each; the last is filled up from the first images."""
    filled = np.concatenate([images, images[: -len(images) % TOGETHER]])
    return [filled[i : i + TOGETHER] for i in range(0, len(filled), TOGETHER)]


def _classes(model: bytes, images: Floats, precision: str) -> Floats:
    batch = min(len(images), 32)
    with get_profiler("onnxruntime").load(with_batch(model, batch), Options(1, precision, batch)) as session:
        classes: Floats = parity.logits_of(session, images).argmax(1)
        return classes
