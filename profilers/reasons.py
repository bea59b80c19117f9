"""Why other people's code failed, in words: it may raise anything, even what has no text, or none that can be kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from profilers.printable import printable

LONGEST = 1000  # characters


def why(error: BaseException) -> str:
    """As in "ValueError: no such layer": one printable line, whatever its text holds.

    >>> why(SystemExit(0)), why(ValueError("no such layer")), why(KeyError())
    ('SystemExit: it called sys.exit(0)', 'ValueError: no such layer', 'KeyError')
    """
    text = " ".join(_text(error).split())
    return printable(f"{type(error).__name__}: {text}" if text else type(error).__name__, LONGEST)


def _text(error: BaseException) -> str:
    try:
        return f"it called sys.exit({error.code!r})" if isinstance(error, SystemExit) else f"{error}"
    except KeyboardInterrupt:
        raise
    except BaseException as broken:  # its own code makes the text
        return f"its text cannot be made, which raises {type(broken).__name__}"


@contextmanager
def foreign(refusal: Callable[[str], BaseException]) -> Iterator[None]:
    """Around code that is not ours: what it raises, sys.exit too, becomes `refusal(why(error))`; Ctrl-C passes."""
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise refusal(why(error)) from error
