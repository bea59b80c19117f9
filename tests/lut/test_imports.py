from __future__ import annotations

import subprocess
import sys

MODULES = "lut, lut.build, lut.verify, lut.formats, lut.estimate.few_shot, lut.estimate.roofline, lut.table.show"


def test_lut_needs_neither_hwnas_nor_torch_and_starts_lightly():
    heavy = "{'hwnas', 'torch', 'onnx', 'onnxruntime', 'openvino', 'scipy', 'sklearn'}"
    script = f"import sys, {MODULES}; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout.strip() == "[]"
