"""Missing: the cells of series that have no sample at times they share, run by run.

They are few, and so are the runs of them that follow one another in a series; what is around a run says all
about its cells.
"""

from __future__ import annotations

import numpy as np

from zseval.model.arrays import Mask, Rows, Values

__all__ = ["Missing"]


class Missing:
    """mask: bool[S, T].  cells: intp[M], where it is set, row by row.

    series, starts, ends: intp[R], of each run its series, and its first and last row.
    """

    __slots__ = ("_runs", "cells", "ends", "mask", "series", "starts")

    def __init__(self, present: Mask) -> None:
        length = present.shape[1]
        self.mask = ~present
        self.cells = cells = np.flatnonzero(self.mask)
        begins = np.ones(len(cells), dtype=np.bool_)
        begins[1:] = (np.diff(cells) != 1) | (cells[1:] % max(length, 1) == 0)
        first = np.flatnonzero(begins)
        last = np.append(first[1:], len(cells)) - 1 if len(cells) else first
        self._runs = np.cumsum(begins) - 1
        self.series = cells[first] // max(length, 1)
        self.starts = cells[first] - self.series * length
        self.ends = cells[last] - self.series * length

    def before(self, values: Values) -> Values:
        """float64[S, T], fresh: each missing value as the last before it; NaN where there is none."""
        return self._filled(values, self.starts - 1, self.starts > 0)

    def after(self, values: Values) -> Values:
        """The same with the next after it."""
        return self._filled(values, self.ends + 1, self.ends < values.shape[1] - 1)

    def _filled(self, values: Values, rows: Rows, there: Mask) -> Values:
        filled = values.copy()
        if len(self.cells):
            found = values.ravel().take(self.series * values.shape[1] + rows, mode="clip")
            filled.ravel()[self.cells] = np.where(there, found, np.nan)[self._runs]
        return filled

    def first_rows(self, series: Rows, rows: Rows) -> Rows:
        """intp[N]: the first row not before these that has a sample of the series; T where there is none."""
        return self._moved(series, rows, self.ends + 1)

    def last_rows(self, series: Rows, rows: Rows) -> Rows:
        """intp[N]: the last row not after these; -1 where there is none."""
        return self._moved(series, rows, self.starts - 1)

    def _moved(self, series: Rows, rows: Rows, of_run: Rows) -> Rows:
        """rows, but where a cell is missing what is given for its run of missing cells."""
        cells = series * self.mask.shape[1] + rows
        found = self.mask.take(cells).nonzero()[0]
        moved = rows.copy()
        moved[found] = of_run[self._runs[np.searchsorted(self.cells, cells[found])]]
        return moved

    def spans(self, lo: Rows, hi: Rows) -> tuple[Rows, Rows, Rows]:
        """Where windows have no sample: series, first step, and one past the last step, intp[N] each.

        lo, hi: intp[K], increasing; no window empty of rows. Spans of a series do not overlap.
        """
        first = np.searchsorted(lo, self.starts, side="left")
        last = np.searchsorted(hi, self.ends + 1, side="right")
        some = np.flatnonzero(last > first)
        return self.series[some], first[some], last[some]
