"""FGVC Aircraft: 3,334 training, 3,333 validation and 3,333 test images of 100 variants, as published.

Source: Maji et al. 2013.
"""

from __future__ import annotations

from hwnas.data.dataset import Dataset
from hwnas.data.published import Published, with_own_splits
from hwnas.data.reference import Reference

_HOLDS = "data/images/, data/variants.txt, data/images_variant_train.txt, …_val.txt, …_test.txt"
_AIRCRAFT = Published("FGVCAircraft", "fgvc-aircraft-2013b", _HOLDS)


def load_aircraft(reference: Reference) -> Dataset:
    """By variant, as in "Boeing 737-700"."""
    from torchvision.datasets import FGVCAircraft

    return with_own_splits(_AIRCRAFT, reference, FGVCAircraft)
