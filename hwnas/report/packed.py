"""Text that a page unpacks: deflated, in base 85. Plotly's 4.8 MB are 1.8 MB then, and its 3-D figures stay.

Plotly's smaller bundles are not in its wheel, and those with 3-D have no parallel coordinates.
"""

from __future__ import annotations

import base64
import zlib
from functools import cache
from importlib.resources import files

_PLAIN = str.maketrans("<", ".")  # so that nothing in it can end or open an element


def packed(text: str) -> str:
    """As `unpack` of `scripts/begin.js` reads it."""
    return base64.b85encode(zlib.compress(text.encode(), 9)).decode().translate(_PLAIN)


def unpacked(text: str) -> str:
    """The text of `packed`."""
    return zlib.decompress(base64.b85decode(text.translate(str.maketrans(".", "<")))).decode()


def plotly() -> str:
    """The library that draws, as a page's script."""
    return files("plotly").joinpath("package_data", "plotly.min.js").read_text("utf-8")


@cache
def packed_plotly() -> str:
    """It takes half a second."""
    return packed(plotly())
