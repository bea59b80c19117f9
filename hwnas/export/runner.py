"""`run.py` of an exported folder: classifies an image with nothing but the runtime, numpy and Pillow.

Preprocessing and labels are the ONNX model's metadata (`preprocessing` and `labels`, JSON); a compiled engine keeps no
metadata, so there they are the datasheet's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

ORT = """\
options = ort.SessionOptions()
options.intra_op_num_threads = {threads}
session = ort.InferenceSession(here / "model.onnx", options, providers=["CPUExecutionProvider"])
facts = session.get_modelmeta().custom_metadata_map
run = lambda images: session.run(None, {{"input": images}})[0]
"""

OV = """\
core = ov.Core()
graph = core.read_model(here / "model.onnx")
facts = {{key: graph.get_rt_info(["framework", key]).astype(str) for key in ("preprocessing", "labels")}}
model = core.compile_model(graph, "CPU", {{"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": {threads},
                                          "INFERENCE_PRECISION_HINT": "{hint}"}})
run = lambda images: model(images)[0]
"""

TRT = """\
sheet = json.loads((here / "datasheet.json").read_text())["preprocessing"]
facts = {{"preprocessing": json.dumps(sheet), "labels": json.dumps(sheet["labels"])}}
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
    return logits
"""

_SCRIPT = '''\
"""Classify an image: python run.py IMAGE. Needs {needs}, numpy and Pillow."""
import json, sys
from pathlib import Path
import numpy as np
{imports}
from PIL import Image

here = Path(__file__).parent
{load}
how, labels = json.loads(facts["preprocessing"]), json.loads(facts["labels"])
image = Image.open(sys.argv[1]).convert("L" if how["channels"] == 1 else "RGB")
image = image.resize((how["size"], how["size"]), Image.Resampling.BILINEAR)
pixels = np.asarray(image, np.float32).reshape(how["size"], how["size"], how["channels"]) / 255  # height, width, C
pixels = (pixels - np.array(how["mean"])) / np.array(how["std"])
images = np.repeat(pixels.transpose(2, 0, 1)[None].astype(np.float32), {batch}, axis=0)  # the engine's batch
logits = run(np.ascontiguousarray(images))[0]
shares = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
for i in shares.argsort()[::-1][:5]:
    print(f"{{labels[i]}}: {{100 * shares[i]:.1f}} %")
'''


def script(load: str, imports: str, needs: str, batch: int, **values: Any) -> str:
    """The file's text.

    Args:
        load: one of the texts above, which defines `facts` (metadata) and `run` (images to logits).
        imports: the runtime's import lines.
        needs: what to install, in words.
        batch: images a run.
        values: what `load` has in braces.
    """
    return _SCRIPT.format(load=load.format(**values).rstrip(), imports=imports, needs=needs, batch=batch)


def metadata(preprocessing: Mapping[str, Any]) -> dict[str, str]:
    """What `run.py` reads, from the section of the datasheet."""
    how = {k: v for k, v in preprocessing.items() if k != "labels"}
    return {"preprocessing": json.dumps(how), "labels": json.dumps(preprocessing["labels"])}
