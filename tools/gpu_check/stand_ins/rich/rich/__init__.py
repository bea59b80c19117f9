"""Stands in for rich where that is missing: the one that pip carries, under its own name."""

import sys

from pip._vendor import rich

sys.modules[__name__] = rich
