"""Every registered space keeps the contract, and `check_space` finds one that does not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hwnas.space import SPACES, SearchSpace, get_space
from hwnas.testing import check_space
from tests.hwnas.space.test_attributes import OPS

TINY = SPACES["tiny"]


@pytest.mark.slow
@pytest.mark.parametrize("name", SPACES)
def test_registered_spaces_keep_it(name):
    resolutions = SPACES[name].resolutions
    check_space(get_space(name, [resolutions[0], resolutions[-1]]), networks=1, torch=True)


@pytest.mark.parametrize("space", [OPS, replace(OPS, ops=("fused",)), replace(TINY, mix=0, depths=(1, 3))])
def test_own_spaces_keep_it(space):
    check_space(space, torch=True)


class Forgets(SearchSpace):
    def encode(self, archs):
        return np.ones_like(super().encode(archs))


class Miscounts(SearchSpace):
    @property
    def size(self):
        return 3


class Misses(SearchSpace):
    def cover(self, resolution, rng):
        return super().cover(resolution, rng)[1:]


class Mixes(SearchSpace):
    def choices(self, genes):
        return np.minimum(super().choices(genes), 3)


class Shrinks(SearchSpace):
    def extremes(self, resolution=None):
        small, _ = super().extremes(resolution)
        return small, small


class Varies(SearchSpace):
    @property
    def signature(self):
        return f"{self.classes:012}"


SMALL = replace(TINY, depths=(1,), kernels=(3, 5), resolutions=(12,))


@pytest.mark.parametrize(
    ("kind", "base", "said"),
    [
        (Forgets, TINY, "decode and encode do not give the canonical genes"),
        (Miscounts, SMALL, "size is not that of a list of all"),
        (Misses, TINY, "the cover at 12 px lacks"),
        (Mixes, TINY, "look-ups of params are not the sums"),
        (Shrinks, TINY, "smaller or larger than the extremes"),
        (Varies, TINY, "the signature says name, classes or resolutions"),
    ],
)
def test_what_breaks_it_is_found(kind, base, said):
    broken = kind(**{name: getattr(base, name) for name in SearchSpace.__dataclass_fields__})
    with pytest.raises(AssertionError, match=said):
        check_space(broken, networks=0)
