"""Merging: the series of a group as one, row by row, before a function looks at its windows.

For functions that may be taken after an aggregation as well as before it: the largest of what
`max_over_time` gives for each series is what it gives for the largest of all of them, row by row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zseval.model.arrays import Rows, Values
from zseval.model.segments import reduce_segments
from zseval.promql.kernels.sums import split, split_points

__all__ = ["SplitSums", "extremes", "largest", "split_sums"]

_LAST_BITS = 2.0**-56
"""Times the square of how many values are summed: low parts lose at most a part in 2^50 of larger sums."""

_CANCELLED = 2.0**-12
"""Sums of values of either sign that are a smaller part of what they might be have cancelled."""


def extremes(values: Values, starts: Rows, better: np.ufunc) -> Values | None:
    """float64[M, R]: the largest or smallest of each segment at each row; NaN only where all are.

    better: np.fmax or np.fmin.  None where the sign of a zero may matter: of equals the first counts.
    """
    plain = np.maximum if better is np.fmax else np.minimum
    found = reduce_segments(plain, values, starts, np.float64)
    if np.isnan(found).any():
        found = reduce_segments(better, values, starts, np.float64)
    if not found.all() and (np.signbit(values) & (values == 0)).any():
        return None
    return found


@dataclass(frozen=True, slots=True, eq=False)
class SplitSums:
    """high + low: float64[M, R], the sum of each segment at each row; low is None where it is all zero.

    Sums of high over rows are exact.  floor: float64[M, 1], sums over rows that are nearer to 0 may be off:
    those of the low parts by rounding, those of values that differ in sign because upstream rounds the sum of
    each series.
    """

    high: Values
    low: Values | None
    floor: Values

    @classmethod
    def joined(cls, parts: Sequence[SplitSums]) -> SplitSums:
        """One after the other."""
        if len(parts) == 1:
            return parts[0]
        low = None
        if any(part.low is not None for part in parts):
            low = np.concatenate(
                [np.zeros_like(part.high) if part.low is None else part.low for part in parts]
            )
        high = np.concatenate([part.high for part in parts])
        return cls(high, low, np.concatenate([part.floor for part in parts]))


def largest(values: Values) -> Values:
    """float64[n]: how far each row of float64[n, R] goes from 0; NaN where it has one."""
    peaks: Values = np.maximum(values.max(axis=1, initial=0.0), -values.min(axis=1, initial=0.0))
    return peaks


def split_sums(values: Values, starts: Rows, peaks: Values) -> SplitSums:
    """Of float64[n, R]. peaks: float64[n], as `largest` gives them, none above HUGEST."""
    sigma = split_points(np.maximum.reduceat(peaks, starts), values.size)[:, np.newaxis]
    sizes = np.diff(starts, append=len(values))
    high, low = split(values, np.repeat(sigma, sizes, axis=0))
    lowest = np.minimum.reduceat(values.min(axis=1, initial=0.0), starts)[:, np.newaxis]
    floor = np.where(lowest < 0, _CANCELLED, values.size**2 * _LAST_BITS) * sigma
    return SplitSums(
        reduce_segments(np.add, high, starts, np.float64),
        None if low is None else reduce_segments(np.add, low, starts, np.float64),
        floor,
    )
