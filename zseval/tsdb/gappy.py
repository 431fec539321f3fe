"""Gappy: samples of series that share their times, some of them missing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zseval.model.arrays import Mask, Rows, Times, Values
from zseval.tsdb.runs import compact

__all__ = ["Gappy"]


@dataclass(frozen=True, slots=True, eq=False)
class Gappy:
    """Of S series at T times; nothing in it may be written to.

    times: int64[T], ms, increasing.  present: bool[S, T], where there is a sample.
    values: float64[S, T], of no meaning elsewhere.
    """

    times: Times
    values: Values
    present: Mask

    def compact(self) -> tuple[Times, Values, Rows]:
        """Each series by itself, moved to the left: times and values [S, T'], counts intp[S]."""
        return compact(self.times, self.values, self.present)

    def pick(self, series: Rows | slice) -> Gappy:
        """Some of the series."""
        return Gappy(self.times, self.values[series], self.present[series])

    def without(self, marked: Mask) -> Gappy:
        """The samples that are not marked, bool[S, T]."""
        return Gappy(self.times, self.values, self.present & ~marked)

    def held(self) -> Rows:
        """intp[S, T + 1]: how many samples each series has before each row."""
        held = np.zeros((self.present.shape[0], self.present.shape[1] + 1), dtype=np.intp)
        np.cumsum(self.present, axis=1, out=held[:, 1:])
        return held
