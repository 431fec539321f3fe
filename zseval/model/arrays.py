"""Names for the arrays that flow through zseval, and what the axis letters mean.

T rows of a table (points in time), S series, K evaluation steps, G groups, B buckets, P matched pairs.
Values are series-major: `float64[S, T]` in storage and `float64[S, K]` in the engine.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Values: TypeAlias = NDArray[np.float64]
"""float64, samples or results."""

Times: TypeAlias = NDArray[np.int64]
"""int64, milliseconds since the Unix epoch."""

Mask: TypeAlias = NDArray[np.bool_]
"""bool, True where something is present."""

Ids: TypeAlias = NDArray[np.int32]
"""int32, series or symbol ids."""

Rows: TypeAlias = NDArray[np.intp]
"""intp, row or column numbers, ready for indexing."""

Histograms: TypeAlias = NDArray[np.object_]
"""object, `zseval.model.histogram.Histogram` or None."""


def is_histogram(histograms: Histograms) -> Mask:
    """bool[...]: the cells that are histograms."""
    mask: Mask = np.not_equal(histograms, np.array(None)).astype(np.bool_)
    return mask


def only_where(keep: Mask, histograms: Histograms) -> Histograms:
    """The histograms of the cells marked, None in the others."""
    kept: Histograms = np.where(keep, histograms, np.array(None))
    return kept


def no_histograms(shape: tuple[int, ...]) -> Histograms:
    """None everywhere."""
    return np.full(shape, None, dtype=np.object_)
