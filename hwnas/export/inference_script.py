"""`run.py` of an exported folder: classifies an image with nothing but the runtime, numpy and Pillow.

It prepares an image with the very lines that training and validation prepare theirs with (`hwnas.data.picture`), by the
preprocessing and labels of the datasheet beside it. They are the ONNX model's metadata too (`preprocessing`
and `labels`, JSON), for whoever has the model alone.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

PICTURE = Path(__file__).parents[1] / "data" / "picture.py"  # its text is a part of every run.py


class Loader(NamedTuple):
    """A runtime's part of the file: what to install and import, lines that load the engine, and how it is called."""

    needs: str
    imports: str
    load: str
    call: str


_ORT_SESSION = """\
options = ort.SessionOptions()
options.intra_op_num_threads = {threads}
model = here / %s
session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])"""
_ORT_CALL = 'session.run(None, {"input": images})[0]'

ORT = Loader("onnxruntime", "numpy as np, onnxruntime as ort", _ORT_SESSION % '"model.onnx"', _ORT_CALL)

# What is optimised for one CPU may compute nonsense on another: there, and for another version, the ONNX is loaded.
_SAME = """\
# model.ort is for one version of ONNX Runtime and one kind of CPU; elsewhere model.onnx does the same
cpu = pathlib.Path("/proc/cpuinfo").read_text().split() if sys.platform == "linux" else []
same = (ort.__version__, {families} & {{*cpu}}) == ("{version}", {vectors})
"""
_EITHER = "f\"model.{{'ort' if same else 'onnx'}}\""
OPTIMISED = Loader(ORT.needs, ORT.imports, _SAME + _ORT_SESSION % _EITHER, _ORT_CALL)

OV = Loader(
    "openvino",
    "numpy as np, openvino as ov",
    """\
hints = {{"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": {threads}, "INFERENCE_PRECISION_HINT": "{hint}"}}
model = ov.Core().compile_model(here / "model.xml", "CPU", hints)""",
    "model(images)[0]",
)

_TRT_LOAD = """\
engine = trt.Runtime(trt.Logger()).deserialize_cuda_engine((here / "{file}").read_bytes())
context, stream = engine.create_execution_context(), cuda.Stream()
def run(images):
    logits = np.empty(tuple(engine.get_tensor_shape("logits")), np.float32)
    buffers = {{"input": cuda.mem_alloc(images.nbytes), "logits": cuda.mem_alloc(logits.nbytes)}}
    for name, buffer in buffers.items():
        context.set_tensor_address(name, int(buffer))
    cuda.memcpy_htod(buffers["input"], images)
    context.execute_async_v3(stream.handle)
    stream.synchronize()
    cuda.memcpy_dtoh(logits, buffers["logits"])
    return logits"""

TRT, TRT_RTX = (
    Loader(
        f"{package} {{version}}, pycuda", f"numpy as np, {package} as trt, pycuda.autoinit, pycuda.driver as cuda",
        _TRT_LOAD, "run(images)",
    )
    for package in ("tensorrt", "tensorrt_rtx")
)  # fmt: skip

_HEAD = '''\
"""Classify an image: python run.py IMAGE. Needs {needs}, numpy and Pillow.

`prepare(path, how)` is what an image must go through:

'''

_TAIL = '''\

import json, pathlib, sys


def stop(why):
    """One line, as a program that calls this one expects it."""
    print("run.py:", " ".join(str(why).split()) or type(why).__name__, file=sys.stderr)
    sys.exit(2)


def main(path):
    """The likeliest five classes of an image file."""
    try:
        here = pathlib.Path(__file__).parent
        sheet = json.loads((here / "datasheet.json").read_text())
        how, warnings = sheet["preprocessing"], sheet.get("warnings", [])
        image = prepare(path, how)
    except Damaged as error:
        stop(f"{{path}}: {{error}}")
    except OSError as error:
        stop(error)
    except (ValueError, LookupError, TypeError) as error:
        stop(f"datasheet.json is damaged: {{error!r}}")
    for line in warnings:
        print("warning:", line, file=sys.stderr)
    try:
        import {imports}

{load}
        images = np.repeat(image, {batch}, 0)  # as many as the engine takes
        logits = {call}[0]
    except Exception as error:  # each runtime has its own
        stop(f"the engine cannot be run: {{error}}")
    shares = np.exp(logits - np.logaddexp.reduce(logits))
    for i in shares.argsort()[::-1][:5]:
        print(f"{{how['labels'][i]}}: {{100 * shares[i]:.1f}} %")


if __name__ == "__main__":
    main(sys.argv[1]) if len(sys.argv) == 2 else stop(f"{{len(sys.argv) - 1}} arguments; python run.py IMAGE")
'''

_SNIPPET = """\
import pathlib, sys, {imports}
here = pathlib.Path(".")
{load}
images = np.zeros({shape}, np.float32)
logits = {call}"""


def script(loader: Loader, batch: int, **values: Any) -> str:
    """The file's text.

    Args:
        loader: the runtime's part.
        batch: images a run.
        values: what its `load` has in braces.
    """
    inside = loader._replace(load=textwrap.indent(loader.load, " " * 8))
    _, _, picture = PICTURE.read_text(encoding="utf-8").partition('"""')
    return _filled(_HEAD, loader, values) + picture + _filled(_TAIL, inside, values, batch=batch)


def snippet(loader: Loader, shape: tuple[int, ...], **values: Any) -> str:
    """The lines that load the engine and run it on zeros of `shape`."""
    return _filled(_SNIPPET, loader, values, shape=shape)


def _filled(text: str, loader: Loader, values: Mapping[str, Any], **more: Any) -> str:
    parts = {
        name: part.format(**values) if name in ("needs", "load") else part for name, part in loader._asdict().items()
    }
    return text.format(**parts, **more)


def metadata(preprocessing: Mapping[str, Any]) -> dict[str, str]:
    """What the ONNX carries, from the section of the datasheet."""
    how = {k: v for k, v in preprocessing.items() if k != "labels"}
    return {"preprocessing": json.dumps(how), "labels": json.dumps(preprocessing["labels"])}
