"""Whether a process of this machine is still there."""

from __future__ import annotations

import os
from pathlib import Path

_ENDED = "ZX"  # a zombie only waits for its parent to read its exit code


def has_ended(number: int) -> bool:
    """Whether no process of that number runs here any more, for certain.

    >>> import os
    >>> has_ended(os.getpid())
    False
    """
    try:
        return Path(f"/proc/{number}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[0] in _ENDED
    except (OSError, IndexError):
        return _is_unknown(number)  # no such process, or no /proc


def _is_unknown(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False
