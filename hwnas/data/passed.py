"""What was passed over in a folder of images: counted by reason, and said in one line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hwnas.data.names import plural, shortened
from profilers.progress import say

RUBBISH = "left by file managers and editors"
NO_IMAGE = "whose content is no image"
NO_TARGET = "linking to nothing"
EMPTY = "without an image inside"
_NAMED = 2  # of each reason, in the line


@dataclass
class PassedOver:
    """Names below the data set's folder, by reason; in the order found, each once."""

    names: dict[str, dict[str, None]] = field(default_factory=dict)

    def add(self, reason: str, name: str) -> None:
        """One file or folder more."""
        self.names.setdefault(reason, {})[name] = None

    @property
    def counts(self) -> Mapping[str, int]:
        """How many for each reason."""
        return {reason: len(names) for reason, names in sorted(self.names.items())}

    def say(self, root: Path) -> None:
        """One line on stderr, unless nothing was passed over."""
        if self.names:
            named = {reason: f" ({shortened(names, _NAMED)})" for reason, names in self.names.items()}
            say(f"hwnas: passed over in {root}: {passed_line(self.counts, named)}")


def passed_line(counts: Mapping[str, int], named: Mapping[str, str]) -> str:
    """So many for each reason, with what is said of it."""
    return "; ".join(f"{plural(n, 'item')} {reason}{named.get(reason, '')}" for reason, n in counts.items())
