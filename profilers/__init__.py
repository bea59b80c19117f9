"""Timing of ONNX models: a model and a device in, samples out."""
