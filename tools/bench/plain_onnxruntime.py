"""What a user's few lines measure: ONNX Runtime's own API, one thread, back to back. Prints milliseconds as JSON.

    python plain_onnxruntime.py MODEL.onnx SECONDS

Nothing of this project is imported: it is an independent check of it.
"""

import json
import sys
import time

import numpy as np
import onnxruntime as ort

options = ort.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = ort.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
rng = np.random.default_rng(0)
feeds = {}
for entry in session.get_inputs():
    integer = "int" in entry.type
    feeds[entry.name] = rng.integers(0, 2, entry.shape) if integer else rng.standard_normal(entry.shape, np.float32)
times: list[float] = []
end, warm = time.perf_counter() + float(sys.argv[2]), time.perf_counter() + 0.5
while time.perf_counter() < end or len(times) < 20:
    start = time.perf_counter()
    session.run(None, feeds)
    if start > warm:
        times.append(1e3 * (time.perf_counter() - start))
print(json.dumps({"quick": float(np.quantile(times, 0.05)), "median": float(np.median(times))}))
