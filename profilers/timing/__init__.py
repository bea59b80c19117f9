"""How a latency is measured: the one loop, its named plans, drift, contention, pinning, fingerprint.

Nothing here knows a runtime by name, what a layer is, or what the measurement is for.
"""
