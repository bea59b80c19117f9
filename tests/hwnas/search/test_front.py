"""What may be chosen, by its definition; the front itself is in test_hypervolume."""

import numpy as np
import pytest

from hwnas.search.front import _beaten

BETTER, WORSE, POINT = 0, 1, 2


@pytest.mark.parametrize("seed", range(4))
def test_beaten_by_definition(seed):
    rng = np.random.default_rng(seed)
    point = rng.integers(0, 12, (700, 3)).astype(float)  # with ties, over several blocks
    width = rng.integers(0, 3, (700, 3)) * (rng.random((700, 3)) < 0.5)
    better, worse = point - width, point + width
    by_definition = [((worse <= better[i]).all(axis=1) & (point < point[i]).any(axis=1)).any() for i in range(700)]
    assert _beaten(better, worse, point).tolist() == by_definition and 0 < sum(by_definition) < 700
