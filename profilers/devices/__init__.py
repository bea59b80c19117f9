"""Devices elsewhere: an agent that measures over there, how it is reached, and a runtime over there as a `Profiler`.

What is measured is no matter of this room: the agent serves `profilers.timing.place`, and knows nothing of tables.
"""
