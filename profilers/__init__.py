"""Timing of ONNX models: a model and a device in, samples out.

The lowest of the three packages (`profilers` <- `lut` <- `hwnas`), so errors, file access and progress live here too.
"""

from profilers.telemetry import switch_off

switch_off()
