"""An extension of griffe: the docstrings' examples as code, where Markdown would read them as text and links."""

from __future__ import annotations

import re
from typing import Any

import griffe

PARAGRAPH = re.compile(r"^(>>> .+(?:\n.+)*)", re.MULTILINE)


class Examples(griffe.Extension):
    """`Example:` is the section that griffe calls `Examples:`; a bare `>>>` becomes a block of code."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring before it is parsed."""
        if obj.docstring:
            text = obj.docstring.value.replace("Example:\n", "Examples:\n")
            obj.docstring.value = PARAGRAPH.sub(r"```pycon\n\1\n```", text)
