"""Several refusals at once: what can be checked is checked, although something else does not fit.

found = Refusals()
with found.collect():
    check_one(settings)
with found.collect():
    check_another(settings)
found.raise_if_any()
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from profilers.errors import BadInput, HwnasError

T = TypeVar("T")
MOST = 30  # lines that are shown


class Lacking(Exception):
    """A value was read that did not fit, and is refused already: what depends on it is left unchecked."""


class ManyRefusals(BadInput):
    """Several things that do not fit, a line each.

    Args:
        errors: what each is, in the order of the lines.

    >>> print(ManyRefusals([BadInput("threads = 0", "1 or more"), BadInput("no file a.json")]))
    threads = 0; allowed: 1 or more
    no file a.json
    """

    def __init__(self, errors: Sequence[HwnasError]) -> None:
        self.errors = tuple(errors)
        super().__init__("; ".join(map(str, errors)))

    def __str__(self) -> str:
        lines = [str(error) for error in self.errors]
        return "\n".join([*lines[:MOST], *([f"and {len(lines) - MOST} more"] if len(lines) > MOST else [])])

    def __reduce__(self) -> tuple[type[ManyRefusals], tuple[tuple[HwnasError, ...]]]:  # type: ignore[override]  # another argument
        return type(self), (self.errors,)


def each(error: HwnasError) -> tuple[HwnasError, ...]:
    """The errors in one, mostly itself."""
    return error.errors if isinstance(error, ManyRefusals) else (error,)


class Refusals:
    """What does not fit, collected to be said at once.

    >>> found = Refusals()
    >>> with found.collect():
    ...     raise BadInput("threads = 0", "1 or more")
    >>> found.raise_if_any()
    Traceback (most recent call last):
    profilers.errors.BadInput: threads = 0; allowed: 1 or more
    """

    def __init__(self) -> None:
        self._by_line: dict[str, HwnasError] = {}

    @property
    def errors(self) -> list[HwnasError]:
        """In the order in which they were found."""
        return list(self._by_line.values())

    @contextmanager
    def collect(self) -> Iterator[None]:
        """Keep an HwnasError of the block and go on after it."""
        try:
            yield
        except Lacking:
            pass
        except HwnasError as error:
            self.extend([error])

    def quietly(self, function: Callable[[], T]) -> T | None:
        """What a function gives; None where it raises what has been said already."""
        try:
            return function()
        except (Lacking, HwnasError):
            return None

    def extend(self, errors: Iterable[HwnasError]) -> None:
        """Keep errors, each line once; several in one become several."""
        for error in errors:
            for one in each(error):
                self._by_line.setdefault(str(one), one)

    def raise_if_any(self) -> None:
        """The one error itself, or `ManyRefusals`."""
        found = self.errors
        if found:
            raise found[0] if len(found) == 1 else ManyRefusals(found)

    def __bool__(self) -> bool:
        return bool(self._by_line)
