"""Latency that is fitted or computed: few-shot, roofline, reconciliation, calibration, interval, experiment design.

Nothing here runs a model; what does is in `lut.build`.
"""
