"""A search space: a layout of inverted bottlenecks with elastic depth, kernel, expand and resolution, and its genes.

    R  resolutions        S  slots, stage by stage       K, E  kernel and expand choices
    genes (n, 1 + 2 S) integers: resolution 1..R, then S kernel genes, then S expand genes

A gene of 0 means "layer absent" and is possible only beyond a stage's minimum depth; choices count from 1. A slot is
absent if either of its genes is 0 or the slot before it in its stage is absent; `canonical` writes zeros there, so
that two genotypes of one network become equal. Every integer vector within `lower`..`upper` is a network.
Source: NSGANetV2, section 3.1, and once-for-all's OFAMobileNetV3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise, product
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.space.arch import Architecture, parse
from hwnas.space.layer import LayerSpec
from hwnas.space.layout import Layout
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
        return 1 + 2 * self.slots

    @cached_property
    def lower(self) -> Genes:
        """(n_genes,) smallest gene values."""
        return np.concatenate([[1], ~self.optional, ~self.optional]).astype(np.int64)

    @cached_property
    def upper(self) -> Genes:
        """(n_genes,) largest gene values."""
        k, e = len(self.kernels), len(self.expands)
        return np.concatenate([[len(self.resolutions)], [k] * self.slots, [e] * self.slots]).astype(np.int64)

    @cached_property
    def size(self) -> int:
        """Number of networks."""
        choices = len(self.kernels) * len(self.expands)
        stages: list[int] = [sum(choices**d for d in depths) for depths in self.depth_choices]
        return len(self.resolutions) * prod(stages)

    # --- genes -----------------------------------------------------------------------------------------------

    def choices(self, genes: Genes) -> Genes:
        """(n, S): 0 for an absent slot, else 1 + kernel index * E + expand index. The fast path of all look-ups."""
        small = genes.astype(np.uint8)
        k, e = small[:, 1 : 1 + self.slots], small[:, 1 + self.slots :]
        # (k - 1) * E + e, and 0 where either is 0; every choice fits a byte
        choice: Genes = (k * np.uint8(len(self.expands)) + e - np.uint8(len(self.expands))) * ((k > 0) & (e > 0))
        for slot in np.flatnonzero(self.optional):
            if self.optional[slot - 1]:
                choice[:, slot] *= choice[:, slot - 1] > 0
        return choice

    def canonical(self, genes: Genes) -> Genes:
        """(n, n_genes) with zeros wherever a layer is not expressed."""
        genes = self.check_genes(genes)
        present = self.choices(genes) > 0
        kept: Genes = genes * np.concatenate([np.ones((len(genes), 1), bool), present, present], axis=1)
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
        """(n, n_genes) canonical genes: depth, kernel, expand and resolution drawn uniformly and independently."""
        genes = rng.integers(np.maximum(self.lower, 1), self.upper + 1, (n, self.n_genes))
        present = self.present(rng.choice(self.depths, (n, len(self.stages))))
        genes[:, 1:] *= np.concatenate([present, present], axis=1)
        return genes

    def all_genes(self) -> Genes:
        """(size, n_genes) canonical genes of every network; for small spaces only."""
        pairs = [(k, e) for k in range(1, 1 + len(self.kernels)) for e in range(1, 1 + len(self.expands))]
        stages: list[list[tuple[tuple[int, int], ...]]] = []
        for depths, most in zip(self.depth_choices, self.capacity, strict=True):
            absent = [((0, 0),) * (most - d) for d in depths]
            stages.append([s + none for d, none in zip(depths, absent, strict=True) for s in product(pairs, repeat=d)])
        rows = []
        for resolution, parts in product(range(1, 1 + len(self.resolutions)), list(product(*stages))):
            slots = [slot for part in parts for slot in part]
            rows.append([resolution, *(k for k, _ in slots), *(e for _, e in slots)])
        return np.array(rows, np.int64)

    def encode(self, archs: Sequence[Architecture]) -> Genes:
        """(n, n_genes) canonical genes of the architectures; BadInput if one is not in this space."""
        genes = np.zeros((len(archs), self.n_genes), np.int64)
        for row, arch in zip(genes, archs, strict=True):
            self.check(arch)
            row[0] = 1 + self.resolutions.index(arch.r)
            slots = np.array(self.expressed(arch))
            row[1 + slots] = [1 + self.kernels.index(k) for k in arch.ks]
            row[1 + self.slots + slots] = [1 + self.expands.index(e) for e in arch.e]
        return genes

    def decode(self, genes: Genes) -> list[Architecture]:
        """The architectures of (n, n_genes) genes, canonical or not."""
        return [self._decode(row) for row in self.canonical(genes).tolist()]

    def _decode(self, row: list[int]) -> Architecture:
        ks, e = row[1 : 1 + self.slots], row[1 + self.slots :]
        d = tuple(self.depth_of(np.array([row]))[0].tolist())
        kernels = tuple(self.kernels[x - 1] for x in ks if x)
        return Architecture(d, kernels, tuple(self.expands[x - 1] for x in e if x), self.resolutions[row[0] - 1])

    def depth_of(self, genes: Genes) -> Genes:
        """(n, stages) depths of canonical genes."""
        starts = np.flatnonzero(self.position == 0)
        return np.add.reduceat((genes[:, 1 : 1 + self.slots] > 0).astype(np.int64), starts, axis=1)

    # --- architectures ---------------------------------------------------------------------------------------

    def parse(self, value: Any) -> Architecture:
        """Read an architecture's JSON (compact or padded) and check that it belongs here."""
        return self.check(parse(value, capacity=self.capacity, width=self.width))

    def check(self, arch: Architecture) -> Architecture:
        """`arch` itself; BadInput names what this space does not have."""
        if len(arch.d) != len(self.stages):
            raise BadInput(f"an architecture of {len(arch.d)} stages", f"{len(self.stages)} in space {self.name}")
        depths = zip(arch.d, self.depth_choices, strict=True)
        wanted: list[tuple[str, Sequence[int], Sequence[int]]] = [
            ("kernel", arch.ks, self.kernels),
            ("expand", arch.e, self.expands),
            *(("depth", [depth], allowed) for depth, allowed in depths),
            ("resolution", [arch.r], self.resolutions),
        ]
        for what, got, allowed in wanted:
            if bad := sorted(set(got) - set(allowed)):
                remedy = "--resolutions FIRST:LAST:STEP" if what == "resolution" else ""
                raise BadInput(f"{what} {bad[0]} is not in space {self.name}", _ranges(allowed), remedy)
        return arch

    def extremes(self, resolution: int | None = None) -> tuple[Architecture, Architecture]:
        """The smallest and the largest network (of one resolution, if given)."""
        found = []
        for pick in (min, max):
            d, r = tuple(pick(choices) for choices in self.depth_choices), resolution or pick(self.resolutions)
            ks, e = ((pick(choices),) * sum(d) for choices in (self.kernels, self.expands))
            found.append(self.check(Architecture(d, ks, e, r)))
        return found[0], found[1]

    def cover(self, resolution: int, rng: np.random.Generator) -> list[Architecture]:
        """K * E full-depth networks that together hold every choice of every slot once (random permutations)."""
        n = len(self.kernels) * len(self.expands)
        order = np.stack([rng.permutation(n) for _ in range(self.slots)], axis=1)
        kernels, expands = np.array(self.kernels), np.array(self.expands)
        rows = [(kernels[row // len(expands)].tolist(), expands[row % len(expands)].tolist()) for row in order]
        return [self.check(Architecture(self.capacity, tuple(k), tuple(e), resolution)) for k, e in rows]

    def layers(self, arch: Architecture) -> tuple[LayerSpec, ...]:
        """Every layer of `arch` in order of execution."""
        self.check(arch)
        head, tail = self.fixed(arch.r)
        choices = zip(self.expressed(arch), arch.ks, arch.e, strict=True)
        return (*head, *(self.slot_layer(slot, arch.r, k, e) for slot, k, e in choices), *tail)


def _ranges(values: Sequence[int]) -> str:
    values = list(values)
    steps = {b - a for a, b in pairwise(values)}
    if len(values) > 4 and len(steps) == 1:
        return f"{values[0]} to {values[-1]} in steps of {steps.pop()}"
    return ", ".join(map(str, values))
