"""What a recipe should say for some images, weights and a machine, each choice with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import sqrt
from typing import TYPE_CHECKING, Any

from hwnas.api.devices import Device
from hwnas.api.network import Network
from hwnas.api.networks import Networks
from hwnas.ofa.facts import CheckpointFacts
from hwnas.recipe.expected import SHARES
from hwnas.space import SPACES, SearchSpace, get_space
from profilers.errors import HwnasError

if TYPE_CHECKING:
    from hwnas.accuracy.protocol import Pace

SMALL, PHOTOS = "small", "mbv3"
LARGE_IMAGES, MANY_IMAGES = 160, 20_000  # px and number from which a space for photographs can be trained from nothing
SMALLER = 0.75  # of the largest resolution: the other one
PRETRAINED = (128, 160, 192, 224)  # px at which once-for-all's weights were trained
STEP = 32  # px, the stride of these spaces
PASSES = 60  # over the images in the supernet's training, as the wished minutes allow for
NETWORKS = 2  # that are trained on each batch
SHORTEST, LONGEST = 15, 480  # minutes


@dataclass
class Proposal:
    """Values of a recipe by key, and why each was chosen; `lines` are for people."""

    values: dict[str, Any] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    def choose(self, key: str, value: Any, why: str) -> None:
        """Set a key, "a.b" in a section."""
        *sections, last = key.split(".")
        place = self.values
        for section in sections:
            place = place.setdefault(section, {})
        place[last] = value
        self.notes[key] = why


def space_for(pixels: int | None, images: int, facts: CheckpointFacts | None) -> tuple[str, str]:
    """The name of a space for so many images of a median size, and why."""
    if facts is not None:
        return facts.space.name, f"that of {facts.path.name}"
    if pixels is None:
        return SMALL, "images of unknown size"
    if pixels >= LARGE_IMAGES and images >= MANY_IMAGES:
        return PHOTOS, f"for {images:,} photographs of about {pixels} px"
    if pixels >= LARGE_IMAGES:
        why = f"{images:,} images are too few to train a larger space from nothing; with published weights (--supernet)"
        return SMALL, f"{why} one would fit"
    return SMALL, f"for images of about {pixels} px"


def resolutions_for(space: SearchSpace, pixels: int, pretrained: bool) -> tuple[list[int], str]:
    """One or two that fit images of that size, and why: the space's own, or others that it can have."""
    low, high = space.resolution_bounds
    usual = PRETRAINED if pretrained else space.resolutions
    if not pretrained and min(usual) > pixels:
        usual = tuple(range(STEP * -(-low // STEP), high + 1, STEP)) or usual
    fitting = [r for r in usual if r <= pixels] or [min(usual)]
    smaller = min(fitting, key=lambda r: abs(r - SMALLER * fitting[-1]))
    return sorted({smaller, fitting[-1]}), f"for images of {pixels} px"


def minutes_for(pace: Pace, images: int, trained: bool) -> tuple[int, str]:
    """A wish that lets the supernet see each image often enough, and why."""
    if not trained:
        return SHORTEST, "no supernet is to be trained"
    seconds = PASSES * NETWORKS * images * (pace.training + pace.preparation)
    minutes = min(max(round(seconds / SHARES["supernet"] / 60 / 5) * 5, SHORTEST), LONGEST)
    return minutes, f"so that the supernet sees each of {images:,} images about {PASSES} times (estimated)"


def latencies(device: Device, space: SearchSpace) -> tuple[float, float] | str:
    """Measured milliseconds of the smallest and the largest network, or why they cannot be."""
    try:
        ends = [Network.of(space, arch) for arch in space.extremes()]
        found = device.measure(Networks(ends)).latencies
    except HwnasError as error:
        return str(error)
    return min(found), max(found)


def budget_between(low: float, high: float) -> float:
    """Half-way on a logarithmic scale, of two digits."""
    return float(f"{sqrt(low * high):.2g}")


def space_here(name: str, classes: int, facts: CheckpointFacts | None) -> SearchSpace:
    """A space by name; that of the weights where they bring their own."""
    if facts is not None and facts.space.name == name and name not in SPACES:
        return get_space(facts.space, classes=classes)
    return get_space(name, classes=classes)


def shown(values: Sequence[float]) -> str:
    """Two numbers with a word between."""
    return " to ".join(f"{value:.3g}" for value in values)
