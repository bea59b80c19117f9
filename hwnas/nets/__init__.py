"""Networks in torch: the static network, the supernet that contains all of a space, and their files."""

from __future__ import annotations

from hwnas.nets.network import Network, fold
from hwnas.nets.supernet import Supernet

__all__ = ["Network", "Supernet", "fold"]
