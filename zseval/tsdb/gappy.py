"""Gappy: samples of series that share their times, some of them missing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zseval.model.arrays import Mask, Rows, Times, Values
from zseval.tsdb.runs import compact
from zseval.tsdb.stretch import Stretches

__all__ = ["Gappy"]


@dataclass(frozen=True, slots=True, eq=False)
class Gappy:
    """Of S series at T times; nothing in it may be written to.

    times: int64[T], ms, increasing.  cells: what they are decoded from.  present: bool[S, T], where there is
    a sample.  stale: bool[S, T], which of them are staleness markers; None where there is none.
    """

    times: Times
    cells: Stretches
    present: Mask
    stale: Mask | None

    def values(self) -> Values:
        """float64[S, T], decoded anew; of no meaning where not present."""
        return self.cells.decode(absent=False)

    def compact(self) -> tuple[Times, Values, Rows]:
        """Each series by itself, moved to the left: times and values [S, T'], counts intp[S]."""
        return compact(self.times, self.values(), self.present)

    def pick(self, series: Rows | slice) -> Gappy:
        """Some of the series."""
        stale = None if self.stale is None else self.stale[series]
        return Gappy(self.times, self.cells.pick(series), self.present[series], stale)

    def without_markers(self) -> Gappy:
        """The samples that are no staleness markers."""
        present = self.present if self.stale is None else self.present & ~self.stale
        return Gappy(self.times, self.cells, present, None)

    def held(self) -> Rows:
        """intp[S, T + 1]: how many samples each series has before each row."""
        held = np.zeros((self.present.shape[0], self.present.shape[1] + 1), dtype=np.intp)
        np.cumsum(self.present, axis=1, out=held[:, 1:])
        return held

    def ended(self) -> tuple[Rows, Mask]:
        """Which series have markers, intp[M]; and whether the last sample so far is one, bool[M, T]."""
        if self.stale is None:
            return np.zeros(0, dtype=np.intp), np.zeros((0, len(self.times)), dtype=np.bool_)
        marked = np.flatnonzero(self.stale.any(axis=1))
        newest = np.where(self.present[marked], np.arange(len(self.times)), 0)
        np.maximum.accumulate(newest, axis=1, out=newest)
        return marked, np.take_along_axis(self.stale[marked], newest, axis=1)
