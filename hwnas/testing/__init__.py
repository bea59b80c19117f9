"""Contract suites for plug-ins of one's own: plain asserts, which any test runner can call; no pytest is needed."""

from __future__ import annotations

from hwnas.testing.accuracy import check_accuracy
from hwnas.testing.objective import check_objective
from hwnas.testing.runtime import check_runtime
from hwnas.testing.space import check_space
from hwnas.testing.surrogate import check_surrogate

__all__ = ["check_accuracy", "check_objective", "check_runtime", "check_space", "check_surrogate"]
