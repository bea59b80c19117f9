"""What a slot chooses: named attributes, in the order in which genes and look-ups have them.

    name     key in an architecture   field of a LayerSpec   options of a space
    kernel   ks                       kernel                 kernels
    expand   e                        expand                 expands
    op       op                       kind                   ops, where they are given

One more is a line in `KNOWN` and a field of `Definition`; genes, look-ups, surrogates, tables, the supernet, training
and reports go by the list alone.
"""

from __future__ import annotations

from dataclasses import dataclass

Option = int | str
KNOWN = (
    (("kernel", "ks", "kernel"), "kernels"),
    (("expand", "e", "expand"), "expands"),
    (("op", "op", "kind"), "ops"),
)
"""Name, key and field of each attribute, and the field of `Definition` that has its options."""


@dataclass(frozen=True)
class Attribute:
    """One thing that each layer of a network chooses.

    Args:
        name: for people: "kernel".
        key: of the list in an architecture's JSON: "ks".
        field: of `LayerSpec` that the option becomes.
        options: numbers in ascending order, or words.
    """

    name: str
    key: str
    field: str
    options: tuple[Option, ...]

    @property
    def is_number(self) -> bool:
        """Whether a larger option makes a larger layer."""
        return all(isinstance(option, int) for option in self.options)

    def largest(self, count: int = 1) -> tuple[Option, ...]:
        """That many of the last options; all for 0."""
        return self.options[-count:]
