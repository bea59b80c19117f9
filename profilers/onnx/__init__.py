"""ONNX models as the runtimes need them: parsed, counted, quantised, cast to another precision.

`hwnas.onnx` writes models. Nothing here times one.
"""
