"""What is written for people: rich's console, which shows every text as it is and nothing of it as a command."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TextIO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from profilers.printable import escaped


class Terminal(Console):
    r"""A console on which names cannot be markup, emoji codes or escape sequences.

    >>> import sys
    >>> Terminal(file=sys.stdout).print("[bold] :smile: \x1b[31m")
    [bold] :smile: \x1b[31m
    """

    def __init__(self, file: TextIO | None = None, **options: Any) -> None:
        plain = {"highlight": False, "markup": False, "emoji": False}
        super().__init__(file=file, **{**plain, **options})

    def render_str(self, text: str, **options: Any) -> Text:
        """A cell's or a title's text, measured as it is shown."""
        return super().render_str(escaped(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Rich's segments, those of text escaped."""
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else escaped(text), style, control)
