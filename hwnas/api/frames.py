"""Rows as a pandas DataFrame, where pandas is installed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from profilers.errors import EngineUnavailable

if TYPE_CHECKING:
    import pandas


def frame(rows: Sequence[Mapping[str, Any]]) -> pandas.DataFrame:
    """A column a key; EngineUnavailable without pandas."""
    try:
        import pandas
    except ImportError:
        raise EngineUnavailable("pandas is not installed", remedy="pip install pandas") from None
    return pandas.DataFrame([dict(row) for row in rows])
