"""One browser for all the tests of a process that need one."""

from __future__ import annotations

import importlib.util

import pytest

from tools import browser

MISSING = next(
    (
        reason
        for reason, there in (
            (f"none of {', '.join(browser.NAMES)} is installed", browser.find() is not None),
            ("needs playwright", importlib.util.find_spec("playwright") is not None),
        )
        if not there
    ),
    "",
)
MARKS = [pytest.mark.browser, pytest.mark.slow, pytest.mark.skipif(bool(MISSING), reason=MISSING)]
