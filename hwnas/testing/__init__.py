"""Contract suites for plug-ins of one's own: plain asserts, which any test runner can call; no pytest is needed."""

from __future__ import annotations

from hwnas.testing.runtime import check_runtime

__all__ = ["check_runtime"]
