"""One NVIDIA GPU for runtimes that bring no memory, streams and events of their own, as TensorRT.

`backend.py` is what they need; PyCUDA and torch each give it, and `choice.py` takes whichever is installed.
"""
