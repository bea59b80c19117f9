"""How long a training is: so many steps, in passes over the training images, of which the last may be part of one."""

from __future__ import annotations

from dataclasses import dataclass

from hwnas.train.optimise import steps_per_epoch


@dataclass(frozen=True)
class Schedule:
    """Steps in passes of `per_pass` each; a state is written after every pass."""

    steps: int
    per_pass: int

    @classmethod
    def of(cls, epochs: int | None, steps: int | None, images: int, batch: int) -> Schedule:
        """Of so many steps, or epochs, where the other is None."""
        per_pass = steps_per_epoch(images, batch)
        return cls(steps if steps is not None else (epochs or 0) * per_pass, per_pass)

    @property
    def passes(self) -> int:
        """How many, with one that is not whole."""
        return -(-self.steps // self.per_pass)

    def length(self, index: int) -> int:
        """Steps of a pass, counted from 0."""
        return min(self.per_pass, self.steps - index * self.per_pass)
