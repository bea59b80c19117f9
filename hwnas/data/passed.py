"""What was passed over in a folder of images: counted by reason, and said in one line."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hwnas.data.names import plural, shortened

RUBBISH = "left by file managers and editors"
NO_IMAGE = "no image by its content"
NO_TARGET = "a link to nothing"
EMPTY = "a folder without images"
_TEXT = {
    RUBBISH: "{} left by file managers and editors ({})",
    NO_IMAGE: "{} whose content is no image ({})",
    NO_TARGET: "{} that link to nothing ({})",
    EMPTY: "{} that hold no image ({})",
}


@dataclass
class PassedOver:
    """Names below the data set's folder, by reason."""

    names: dict[str, list[str]] = field(default_factory=dict)

    def add(self, reason: str, name: str) -> None:
        """One file or folder more."""
        known = self.names.setdefault(reason, [])
        if name not in known[-1:]:
            known.append(name)

    @property
    def counts(self) -> Mapping[str, int]:
        """How many for each reason."""
        return {reason: len(names) for reason, names in sorted(self.names.items())}

    def line(self, root: Path) -> str:
        """One line, or "" where nothing was passed over."""
        parts = [
            _TEXT[reason].format(plural(len(n), "item"), shortened(n, 2)) for reason, n in sorted(self.names.items())
        ]
        return f"passed over in {root}: {'; '.join(parts)}" if parts else ""

    def say(self, root: Path) -> None:
        """The line on stderr."""
        if line := self.line(root):
            print(f"hwnas: {line}", file=sys.stderr)
