"""PyTorch on the CPU and on NVIDIA GPUs: eager, compiled, and compiled ahead of time.

runtime.py  the runtimes `torch` and `torch-cuda`        session.py  a module with its tensors bound, timed and traced
network.py  ONNX that hwnas wrote as a torch module      levels.py   eager, graph, compile, aot
place.py    the CPU and the GPU: how a run is timed      trace.py    the profiler's events by layer
aot.py      packages of AOTInductor

Nothing here imports torch before a runtime is asked for.
"""
