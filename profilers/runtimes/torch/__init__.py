"""PyTorch on the CPU and on NVIDIA GPUs: eager, compiled, and compiled ahead of time.

Nothing here imports torch before a runtime is asked for.
"""
