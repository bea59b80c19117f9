"""The runtimes, one file each (TensorRT is a folder): an ONNX model in, a session that runs it out.

What is the same for all of them is in `profilers.base`; how a run is timed is in `profilers.timing`.
`save` writes models in the runtimes' own formats.
"""
