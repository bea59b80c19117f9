"""Models of latency that are fitted or computed: few-shot, roofline, reconciliation, calibration and interval, design.

Nothing here runs a model.
"""
