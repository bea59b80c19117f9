"""A search space: a layout of inverted bottlenecks with elastic depth, kernel, expand, …, and its genes.

    R  resolutions        S  slots, stage by stage       A  attributes: kernel, expand, and op where a space has it
    genes (n, 1 + A S) integers: resolution 1..R, then S genes of each attribute: S kernel genes, S expand genes, …

A gene of 0 means "layer absent" and is possible only beyond a stage's minimum depth; choices count from 1. A slot is
absent if one of its genes is 0 or the slot before it in its stage is absent (or the one behind it, where no depth of
the stage ends between them); `canonical` writes zeros there, so that two genotypes of one network become equal. Every
integer vector within `lower`..`upper` is a network.
Source: NSGANetV2, section 3.1, and once-for-all's OFAMobileNetV3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise, product
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.space.arch import Architecture, parse
from hwnas.space.attributes import Option
from hwnas.space.layer import LayerSpec
from hwnas.space.layout import Layout
from hwnas.space.overview import Quantity, SpaceProfile, counted, overview
from profilers.errors import BadInput

Genes = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class SearchSpace(Layout):
    """A layout and how its networks are written as genes; a new space is a file that makes an instance of this.

    >>> from hwnas.space import Stage
    >>> stages = (Stage(16, 2, "relu", False), Stage(24, 2, "hswish", True))
    >>> space = SearchSpace(
    ...     "mine", stages, resolutions=(32, 48), stem=8, final=64, mix=0, classes=3, depths=(1, 2)
    ... )
    >>> space.size, space.slots
    (16200, 4)
    """

    # --- shape of the encoding -------------------------------------------------------------------------------

    @property
    def n_genes(self) -> int:
        """Length of a genotype."""
        return 1 + len(self.attributes) * self.slots

    @cached_property
    def lower(self) -> Genes:
        """(n_genes,) smallest gene values."""
        return np.concatenate([[1], *[~self.optional] * len(self.attributes)]).astype(np.int64)

    @cached_property
    def upper(self) -> Genes:
        """(n_genes,) largest gene values."""
        return np.concatenate([[len(self.resolutions)], *([n] * self.slots for n in self.counts)]).astype(np.int64)

    @cached_property
    def size(self) -> int:
        """Number of networks."""
        choices = len(self.combinations)
        stages: list[int] = [sum(choices**d for d in depths) for depths in self.depth_choices]
        return len(self.resolutions) * prod(stages)

    def tiled(self, slots: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(n, n_genes - 1): flags of slots (n, S) for the genes of every attribute."""
        return np.concatenate([slots] * len(self.attributes), axis=1)

    def genes_of(self, genes: Genes) -> list[Genes]:
        """(n, S) genes of each attribute, as views."""
        return [genes[:, 1 + i * self.slots : 1 + (i + 1) * self.slots] for i in range(len(self.attributes))]

    # --- genes -----------------------------------------------------------------------------------------------

    def choices(self, genes: Genes) -> Genes:
        """(n, S): 0 for an absent slot, else 1 + the index in `combinations`. The fast path of all look-ups."""
        first, *others = self.genes_of(genes.astype(np.uint8))
        choice, present = first, first > 0
        for gene, count in zip(others, self.counts[1:], strict=True):
            # (choice - 1) * count + gene; every index fits a byte, and where a gene is 0 it does not matter
            choice = choice * np.uint8(count) + gene - np.uint8(count)
            present = present & (gene > 0)
        choice = choice * present
        for slot in np.flatnonzero(self.optional).tolist():
            if self.optional[slot - 1]:
                choice[:, slot] *= choice[:, slot - 1] > 0
        for slot in self._between:
            choice[:, slot] *= choice[:, slot + 1] > 0
        return choice

    @cached_property
    def _between(self) -> list[int]:
        """Slots, from the last to the first, at which no depth of their stage ends: they come with the next one."""
        ends = zip(self.stage_of.tolist(), (self.position + 1).tolist(), strict=True)
        within = [depth not in self.depth_choices[stage] for stage, depth in ends]
        return [slot for slot, inside in enumerate(self.optional & np.array(within)) if inside][::-1]

    def canonical(self, genes: Genes) -> Genes:
        """(n, n_genes) with zeros wherever a layer is not expressed."""
        genes = self.check_genes(genes)
        return self.keep(genes, self.choices(genes) > 0)

    def keep(self, genes: Genes, present: NDArray[np.bool_]) -> Genes:
        """(n, n_genes) genes with zeros in the slots that are not present (n, S)."""
        kept: Genes = genes * np.concatenate([np.ones((len(genes), 1), bool), self.tiled(present)], axis=1)
        return kept

    def check_genes(self, genes: Genes) -> Genes:
        """The genes as an (n, n_genes) int64 array; BadInput if a value is outside `lower`..`upper`."""
        genes = np.atleast_2d(np.asarray(genes))
        if genes.ndim != 2 or genes.shape[1] != self.n_genes or not np.issubdtype(genes.dtype, np.integer):
            raise BadInput(
                f"genes of shape {genes.shape}, {genes.dtype}", f"integers (n, {self.n_genes}) for {self.name}"
            )
        if (genes < self.lower).any() or (genes > self.upper).any():
            raise BadInput("genes outside their bounds", f"lower to upper of space {self.name}")
        return genes.astype(np.int64, copy=False)

    def sample(self, n: int, rng: np.random.Generator) -> Genes:
        """(n, n_genes) canonical genes: depth, each choice and resolution drawn uniformly and independently."""
        genes = rng.integers(np.maximum(self.lower, 1), self.upper + 1, (n, self.n_genes))
        return self.keep(genes, self.present(rng.choice(self.depths, (n, len(self.stages)))))

    def sample_evenly(self, n: int, rng: np.random.Generator) -> Genes:
        """(n, n_genes) canonical genes: every network of the space is as likely as any other, so most are deep."""
        genes = rng.integers(np.maximum(self.lower, 1), self.upper + 1, (n, self.n_genes))
        choices = len(self.combinations)
        weights = [np.array([float(choices) ** d for d in depths]) for depths in self.depth_choices]
        pairs = zip(self.depth_choices, weights, strict=True)
        depths = [rng.choice(depths, n, p=share / share.sum()) for depths, share in pairs]
        return self.keep(genes, self.present(np.stack(depths, axis=1)))

    def all_genes(self) -> Genes:
        """(size, n_genes) canonical genes of every network; for small spaces only."""
        layers = list(product(*(range(1, 1 + n) for n in self.counts)))
        none = (0,) * len(self.attributes)
        stages: list[list[tuple[tuple[int, ...], ...]]] = []
        for depths, most in zip(self.depth_choices, self.capacity, strict=True):
            absent = [(none,) * (most - d) for d in depths]
            stages.append([s + rest for d, rest in zip(depths, absent, strict=True) for s in product(layers, repeat=d)])
        rows = []
        for resolution, parts in product(range(1, 1 + len(self.resolutions)), list(product(*stages))):
            slots = [slot for part in parts for slot in part]
            rows.append([resolution, *(gene for genes in zip(*slots, strict=True) for gene in genes)])
        return np.array(rows, np.int64)

    def encode(self, archs: Sequence[Architecture]) -> Genes:
        """(n, n_genes) canonical genes of the architectures; BadInput if one is not in this space."""
        genes = np.zeros((len(archs), self.n_genes), np.int64)
        for row, arch in zip(genes, archs, strict=True):
            self.check(arch)
            row[0] = 1 + self.resolutions.index(arch.r)
            slots = np.array(self.expressed(arch))
            for i, a in enumerate(self.attributes):
                row[1 + i * self.slots + slots] = [1 + a.options.index(x) for x in arch.values(a.key)]
        return genes

    def decode(self, genes: Genes) -> list[Architecture]:
        """The architectures of (n, n_genes) genes, canonical or not."""
        rows = self.canonical(genes)
        resolutions = [self.resolutions[i - 1] for i in rows[:, 0].tolist()]
        columns = [found.tolist() for found in self.genes_of(rows)]  # of each attribute
        chosen = zip(self.depth_of(rows).tolist(), resolutions, *columns, strict=True)
        return [self._decoded(d, r, choices) for d, r, *choices in chosen]

    def _decoded(self, d: list[int], r: int, genes: list[list[int]]) -> Architecture:
        options = zip(self.attributes, genes, strict=True)
        return Architecture.of(d, {a.key: [a.options[x - 1] for x in row if x] for a, row in options}, r)

    def depth_of(self, genes: Genes) -> Genes:
        """(n, stages) depths of canonical genes."""
        starts = np.flatnonzero(self.position == 0)
        return np.add.reduceat((genes[:, 1 : 1 + self.slots] > 0).astype(np.int64), starts, axis=1)

    def profile(
        self, objectives: Mapping[str, Quantity] | None = None, budget: Mapping[str, float] | None = None
    ) -> SpaceProfile:
        """What networks cost: extremes exactly, quartiles of many that are drawn, and the share within a budget.

        `objectives` by name, by default params and madds; `budget` has the most of each (the least of what is
        maximised). `hwnas.space` makes objectives of latency tables and finds the nearest possible budget.

        >>> import hwnas
        >>> found = hwnas.get_space("tiny").profile(budget={"params": 12000})
        >>> found.size, found.exact, found.share.value
        (2746766295, False, 0.0)
        """
        return overview(self, objectives or counted(self), budget or {})

    # --- architectures ---------------------------------------------------------------------------------------

    def parse(self, value: Any) -> Architecture:
        """Read an architecture's JSON (compact or padded) and check that it belongs here."""
        return self.check(parse(value, capacity=self.capacity, attributes=self.attributes, width=self.width))

    def check(self, arch: Architecture) -> Architecture:
        """`arch` itself; BadInput names what this space does not have."""
        if len(arch.d) != len(self.stages):
            raise BadInput(f"an architecture of {len(arch.d)} stages", f"{len(self.stages)} in space {self.name}")
        if {*arch.keys} != {*(keys := [a.key for a in self.attributes])}:
            raise BadInput(f"an architecture that chooses {', '.join(arch.keys)}", f"{', '.join(keys)} in {self.name}")
        for key in keys:
            if (length := len(arch.values(key))) != sum(arch.d):
                raise BadInput(f"{key!r} of an architecture has {length} entries", f"{sum(arch.d)}, the sum of d")
        depths = zip(arch.d, self.depth_choices, strict=True)
        wanted: list[tuple[str, Sequence[Option], Sequence[Option]]] = [
            *((a.name, arch.values(a.key), a.options) for a in self.attributes),
            *(("depth", [depth], allowed) for depth, allowed in depths),
            ("resolution", [arch.r], self.resolutions),
        ]
        for what, got, allowed in wanted:
            if bad := sorted(set(got) - set(allowed), key=lambda x: (str(type(x)), x)):
                low, high = self.resolution_bounds
                possible = what == "resolution" and isinstance(bad[0], int) and low <= bad[0] <= high
                remedy = f"resolutions of the space that have {bad[0]}" if possible else ""
                raise BadInput(f"{what} {bad[0]} is not in space {self.name}", _ranges(allowed), remedy)
        return arch

    def extremes(self, resolution: int | None = None) -> tuple[Architecture, Architecture]:
        """The smallest and the largest network (of one resolution, if given).

        Numbers and depths are the smallest and the largest; of words, those with the fewest and the most multiply-adds.
        """
        found = []
        for pick in (min, max):
            d, r = tuple(pick(choices) for choices in self.depth_choices), resolution or pick(self.resolutions)
            slots = np.flatnonzero(self.present(np.array([d]))[0]).tolist()
            found.append(self.check(self._of(d, [self._extreme(slot, r, pick) for slot in slots], r)))
        return found[0], found[1]

    def _extreme(self, slot: int, resolution: int, pick: Any) -> tuple[Option, ...]:
        found = self.candidates(pick)
        if len(found) == 1:
            return found[0]
        chosen: tuple[Option, ...] = pick(found, key=lambda options: self.slot_layer(slot, resolution, *options).madds)
        return chosen

    def _of(self, d: Sequence[int], layers: Sequence[tuple[Option, ...]], resolution: int) -> Architecture:
        """The architecture whose expressed layers choose these options."""
        columns = zip(*layers, strict=True)
        choices = {a.key: column for a, column in zip(self.attributes, columns, strict=True)}
        return Architecture.of(d, choices, resolution)

    def cover(self, resolution: int, rng: np.random.Generator) -> list[Architecture]:
        """Full-depth networks that together hold every combination in every slot once (random permutations)."""
        n = len(self.combinations)
        order = np.stack([rng.permutation(n) for _ in range(self.slots)], axis=1)
        rows = [[self.combinations[i] for i in row] for row in order.tolist()]
        return [self.check(self._of(self.capacity, row, resolution)) for row in rows]

    def layers(self, arch: Architecture) -> tuple[LayerSpec, ...]:
        """Every layer of `arch` in order of execution."""
        self.check(arch)
        head, tail = self.fixed(arch.r)
        choices = zip(self.expressed(arch), *(arch.values(a.key) for a in self.attributes), strict=True)
        return (*head, *(self.slot_layer(slot, arch.r, *options) for slot, *options in choices), *tail)


def _ranges(values: Sequence[Option]) -> str:
    numbers = [value for value in values if isinstance(value, int)]
    steps = {b - a for a, b in pairwise(numbers)}
    if len(numbers) > 4 and len(steps) == 1:
        return f"{values[0]} to {values[-1]} in steps of {steps.pop()}"
    return ", ".join(map(str, values))
