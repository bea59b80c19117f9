"""Choosing from a finished or running search: budgets, preferences, what the front has in common.

One rule serves `select`, `export` and `compare`. Searching itself is in `hwnas.search`.
"""
