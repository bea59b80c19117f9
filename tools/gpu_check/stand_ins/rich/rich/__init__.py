"""Stands in for rich where that is missing: the one that pip carries, and of it what hwnas uses, under its own name."""

import sys
from importlib import import_module

VENDORED = "pip._vendor."
USED = ("", ".box", ".cells", ".console", ".progress", ".segment", ".table", ".text")

sys.modules |= {f"rich{name}": import_module(f"{VENDORED}rich{name}") for name in USED}
