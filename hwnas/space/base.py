"""A search space: stages of inverted bottlenecks with elastic depth, kernel, expand and resolution.

    R  resolutions        S  slots, stage by stage       K, E  kernel and expand choices
    genes (n, 1 + 2 S) integers: resolution 1..R, then S kernel genes, then S expand genes

A gene of 0 means "layer absent" and is possible only beyond a stage's minimum depth; choices count from 1. A slot is
absent if either of its genes is 0 or the slot before it in its stage is absent; `canonical` writes zeros there, so
that two genotypes of one network become equal. Every integer vector within `lower`..`upper` is a network.
Source: NSGANetV2, section 3.1, and once-for-all's OFAMobileNetV3.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.space.arch import Architecture, parse
from hwnas.space.cost import CostArray
from hwnas.space.layer import LayerSpec, round_channels
from profilers.errors import BadInput

Genes = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Stage:
    """One block of the network; only its first layer has the stride."""

    channels: int
    stride: int
    act: str
    se: bool


@dataclass(frozen=True)
class SearchSpace:
    """Everything that defines a space; a new one is a file that makes an instance of this.

    `stem`, `final` and `mix` are channels; `final` is the last 1x1 convolution, `mix` the one behind the pooling.
    """

    name: str
    stages: tuple[Stage, ...]
    resolutions: tuple[int, ...]
    resolution_bounds: tuple[int, int]
    stem: int
    final: int
    mix: int
    width: float = 1.0
    in_channels: int = 3
    classes: int = 1000
    kernels: tuple[int, ...] = (3, 5, 7)
    expands: tuple[int, ...] = (3, 4, 6)
    depths: tuple[int, ...] = (2, 3, 4)
    act: str = "hswish"
    first_act: str = "relu"
    _specs: dict[Any, LayerSpec] = field(default_factory=dict, compare=False, repr=False)

    # --- shape of the encoding -------------------------------------------------------------------------------

    @property
    def slots_per_stage(self) -> int:
        """The largest depth."""
        return max(self.depths)

    @property
    def slots(self) -> int:
        """S: places in the encoding."""
        return len(self.stages) * self.slots_per_stage

    @property
    def n_genes(self) -> int:
        """Length of a genotype."""
        return 1 + 2 * self.slots

    @cached_property
    def optional(self) -> NDArray[np.bool_]:
        """(S,) whether a slot may be absent."""
        return np.tile(np.arange(self.slots_per_stage) >= min(self.depths), len(self.stages))

    @cached_property
    def lower(self) -> Genes:
        """(n_genes,) smallest gene values."""
        return np.concatenate([[1], ~self.optional, ~self.optional]).astype(np.int64)

    @cached_property
    def upper(self) -> Genes:
        """(n_genes,) largest gene values."""
        k, e = len(self.kernels), len(self.expands)
        return np.concatenate([[len(self.resolutions)], [k] * self.slots, [e] * self.slots]).astype(np.int64)

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
        depth = rng.choice(self.depths, (n, len(self.stages), 1))
        present = (np.arange(self.slots_per_stage) < depth).reshape(n, self.slots)
        genes[:, 1:] *= np.concatenate([present, present], axis=1)
        return genes

    def encode(self, archs: Sequence[Architecture]) -> Genes:
        """(n, n_genes) canonical genes of the architectures; BadInput if one is not in this space."""
        genes = np.zeros((len(archs), self.n_genes), np.int64)
        for row, arch in zip(genes, archs, strict=True):
            self.check(arch)
            row[0] = 1 + self.resolutions.index(arch.r)
            slots = np.array([i * self.slots_per_stage + j for i, n in enumerate(arch.d) for j in range(n)], np.int64)
            row[1 + slots] = [1 + self.kernels.index(k) for k in arch.ks]
            row[1 + self.slots + slots] = [1 + self.expands.index(e) for e in arch.e]
        return genes

    def decode(self, genes: Genes) -> list[Architecture]:
        """The architectures of (n, n_genes) genes, canonical or not."""
        return [self._decode(row) for row in self.canonical(genes).tolist()]

    def _decode(self, row: list[int]) -> Architecture:
        ks, e = row[1 : 1 + self.slots], row[1 + self.slots :]
        per = self.slots_per_stage
        d = tuple(sum(x > 0 for x in ks[i : i + per]) for i in range(0, self.slots, per))
        kernels = tuple(self.kernels[x - 1] for x in ks if x)
        return Architecture(d, kernels, tuple(self.expands[x - 1] for x in e if x), self.resolutions[row[0] - 1])

    # --- architectures ---------------------------------------------------------------------------------------

    def parse(self, value: Any) -> Architecture:
        """Read an architecture's JSON (compact or padded) and check that it belongs here."""
        return self.check(parse(value, slots_per_stage=self.slots_per_stage, width=self.width))

    def check(self, arch: Architecture) -> Architecture:
        """`arch` itself; BadInput names what this space does not have."""
        wanted: list[tuple[str, Sequence[int], Sequence[int]]] = [
            ("kernel", arch.ks, self.kernels),
            ("expand", arch.e, self.expands),
            ("depth", arch.d, self.depths),
            ("resolution", [arch.r], self.resolutions),
        ]
        if len(arch.d) != len(self.stages):
            raise BadInput(f"an architecture of {len(arch.d)} stages", f"{len(self.stages)} in space {self.name}")
        for what, got, allowed in wanted:
            if bad := sorted(set(got) - set(allowed)):
                remedy = "--resolutions FIRST:LAST:STEP" if what == "resolution" else ""
                raise BadInput(f"{what} {bad[0]} is not in space {self.name}", _ranges(allowed), remedy)
        return arch

    def extremes(self, resolution: int | None = None) -> tuple[Architecture, Architecture]:
        """The smallest and the largest network (of one resolution, if given)."""
        found = []
        for pick in (min, max):
            n = pick(self.depths) * len(self.stages)
            d = (pick(self.depths),) * len(self.stages)
            r = resolution or pick(self.resolutions)
            found.append(self.check(Architecture(d, (pick(self.kernels),) * n, (pick(self.expands),) * n, r)))
        return found[0], found[1]

    def cover(self, resolution: int, rng: np.random.Generator) -> list[Architecture]:
        """K * E full-depth networks that together hold every choice of every slot once (random permutations)."""
        n = len(self.kernels) * len(self.expands)
        order = np.stack([rng.permutation(n) for _ in range(self.slots)], axis=1)
        full = (self.slots_per_stage,) * len(self.stages)
        kernels, expands = np.array(self.kernels), np.array(self.expands)
        rows = [(kernels[row // len(expands)], expands[row % len(expands)]) for row in order]
        return [self.check(Architecture(full, tuple(k.tolist()), tuple(e.tolist()), resolution)) for k, e in rows]

    # --- layers: the one walk --------------------------------------------------------------------------------

    def layers(self, arch: Architecture) -> tuple[LayerSpec, ...]:
        """Every layer of `arch` in order of execution."""
        self.check(arch)
        head, tail = self.fixed(arch.r)
        choice = zip(arch.ks, arch.e, strict=True)
        slots = (i * self.slots_per_stage + j for i, n in enumerate(arch.d) for j in range(n))
        return (*head, *(self.slot_layer(s, arch.r, k, e) for s, (k, e) in zip(slots, choice, strict=True)), *tail)

    def slot_layer(self, slot: int, resolution: int, kernel: int, expand: int) -> LayerSpec:
        """The layer that stands in a slot, given its choices."""
        key = (slot, resolution, kernel, expand)
        if key not in self._specs:
            index, position = divmod(slot, self.slots_per_stage)
            stage = self.stages[index]
            before = self.stages[index - 1].channels if index else self.stem
            size = self._stage_sizes(resolution)[index]
            if position == 0:
                source, channels, stride = size, before, stage.stride
            else:
                source, channels, stride = -(-size // stage.stride), stage.channels, 1
            mid = round_channels(channels * expand)
            skip = stride == 1 and channels == stage.channels
            self._specs[key] = LayerSpec(
                "mbconv", source, channels, stage.channels, kernel, stride, expand, mid,
                act=stage.act, se=stage.se, skip=skip,
            )  # fmt: skip
        return self._specs[key]

    def fixed(self, resolution: int) -> tuple[tuple[LayerSpec, ...], tuple[LayerSpec, ...]]:
        """The layers before and behind the slots, which no choice but the resolution changes."""
        size, last = -(-resolution // 2), self.stages[-1]
        out = -(-self._stage_sizes(resolution)[-1] // last.stride)
        head = (
            LayerSpec("conv", resolution, self.in_channels, self.stem, kernel=3, stride=2, act=self.act),
            LayerSpec("mbconv", size, self.stem, self.stem, kernel=3, mid=self.stem, act=self.first_act, skip=True),
        )
        tail = (
            LayerSpec("conv", out, last.channels, self.final, act=self.act),
            LayerSpec("pool", out, self.final, self.final),
            LayerSpec("conv", 1, self.final, self.mix, act=self.act, bn=False),
            LayerSpec("linear", 1, self.mix, self.classes),
        )
        return head, tail

    def _stage_sizes(self, resolution: int) -> list[int]:
        sizes = [-(-resolution // 2)]
        for stage in self.stages[:-1]:
            sizes.append(-(-sizes[-1] // stage.stride))
        return sizes

    def all_layers(self) -> Iterator[LayerSpec]:
        """Every layer that any network of this space has, repeats included."""
        for r in self.resolutions:
            for part in self.fixed(r):
                yield from part
            for s in range(self.slots):
                yield from (self.slot_layer(s, r, k, e) for k in self.kernels for e in self.expands)

    def compile(self, value: Callable[[LayerSpec], float]) -> CostArray:
        """Turn a sum over layers into a look-up: base[resolution] + sum of cost[slot, resolution, kernel, expand]."""
        shape = (self.slots, len(self.resolutions), len(self.kernels), len(self.expands))
        cost, base = np.zeros(shape), np.zeros(len(self.resolutions))
        for j, r in enumerate(self.resolutions):
            base[j] = sum(value(layer) for part in self.fixed(r) for layer in part)
            for s, a, b in np.ndindex(shape[0], *shape[2:]):
                cost[s, j, a, b] = value(self.slot_layer(s, r, self.kernels[a], self.expands[b]))
        return CostArray(base, cost)

    @property
    def signature(self) -> str:
        """Twelve hexadecimal digits over everything but name, resolutions and classes."""
        plain = replace(self, name="", resolutions=(), classes=0, resolution_bounds=(0, 0), _specs={})
        return hashlib.sha256(repr(plain).encode()).hexdigest()[:12]


def _ranges(values: Sequence[int]) -> str:
    values = list(values)
    steps = {b - a for a, b in pairwise(values)}
    if len(values) > 4 and len(steps) == 1:
        return f"{values[0]} to {values[-1]} in steps of {steps.pop()}"
    return ", ".join(map(str, values))
