"""The chosen networks beside well-known ones, all measured on this device: the paper's Table 3, for the user's own."""

from hwnas.callable_room import make_callable

make_callable(__name__, "hwnas.api.comparing:compare")  # so that `hwnas.compare(…)` is the command too
