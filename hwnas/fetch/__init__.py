"""`hwnas fetch`: the papers' authors' public files, from their addresses into a cache."""

from __future__ import annotations

from hwnas.callable_room import make_callable
from hwnas.fetch.download import NetworkProblem, Patience
from hwnas.fetch.store import Fetched, cached, default_cache, fetch
from hwnas.ofa.catalogue import FILES, GROUPS, PublicFile, find

__all__ = [
    "FILES",
    "GROUPS",
    "Fetched",
    "NetworkProblem",
    "Patience",
    "PublicFile",
    "cached",
    "default_cache",
    "fetch",
    "find",
]

make_callable(__name__, "hwnas.api.fetching:fetch")  # so that `hwnas.fetch(…)` is the command too
