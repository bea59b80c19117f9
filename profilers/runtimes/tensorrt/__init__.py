"""TensorRT and TensorRT-RTX: engines built, written with their manifest, run by CUDA, and their layers' times.

Nothing outside of this folder imports TensorRT; CUDA itself comes from `profilers.runtimes.cuda`.
"""
