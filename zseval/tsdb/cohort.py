"""Cohort: the newest samples of many sources side by side, each with times of its own.

What rules and instant queries ask for is minutes long and not yet encoded. Each source would be a frame
of a few cells, and going through frame after frame costs more than the cells: so those that have equally
many rows become one matrix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zseval.model.arrays import Rows, Times, Values
from zseval.tsdb.frame import Frame
from zseval.tsdb.layout import Located

__all__ = ["Cohort", "Recent", "cohorts"]


@dataclass(frozen=True, slots=True, eq=False)
class Recent:
    """Rows of one open block, none of them a marker or absent. located: which of the wanted series, where.

    times: int64[T].  values: float64[C, R], the block's; these rows begin at `first`.
    """

    located: Located
    times: Times
    values: Values
    first: int


class Cohort:
    """T samples of each of S series, from P sources; no markers. Nothing in it may be written to.

    rows: intp[S], which series of the Selection these are, source by source.
    of: intp[S], the source of each.  times: int64[P, T], ms, increasing.
    lows, highs: intp[P], which of the T are meant, of each source; None for all.
    rising: True only where no value is less than the one before.
    """

    __slots__ = ("_parts", "_values", "highs", "lows", "of", "rising", "rows", "times")

    def __init__(self, rows: Rows, of: Rows, times: Times, *, rising: bool = False) -> None:
        self.rows = rows
        self.of = of
        self.times = times
        self.rising = rising
        self.lows: Rows | None = None
        self.highs: Rows | None = None
        self._parts: Sequence[Recent] = ()
        self._values: Values | None = None

    @classmethod
    def joined(cls, parts: Sequence[Recent]) -> Cohort:
        """parts: with equally many rows, at least one part."""
        rows = [part.located.rows for part in parts]
        of = np.repeat(np.arange(len(parts), dtype=np.intp), [len(some) for some in rows])
        times = np.concatenate([part.times for part in parts]).reshape(len(parts), -1)
        made = cls(np.concatenate(rows), of, times)
        made._parts = parts
        return made

    @classmethod
    def of_rows(
        cls, rows: Rows, of: Rows, times: Times, values: Values, lows: Rows, highs: Rows, *, rising: bool
    ) -> Cohort:
        """times: int64[T, P].  values: float64[T, S]."""
        made = cls(rows, of, times.T, rising=rising)
        made._values, made.lows, made.highs = values.T, lows, highs
        return made

    @property
    def size(self) -> int:
        """How many cells are meant."""
        if self.lows is None or self.highs is None:
            return len(self.rows) * int(self.times.shape[1])
        return int((self.highs - self.lows)[self.of].sum())

    @property
    def values(self) -> Values:
        """float64[S, T], all of them."""
        if self._values is None:
            self._values = self.between(0, self.times.shape[1])
        return self._values

    def between(self, lo: int, hi: int) -> Values:
        """float64[S, hi - lo], some of the T rows of all series."""
        if self._values is not None:
            return self._values[:, lo:hi]
        out = np.empty((len(self.rows), hi - lo))
        start = 0
        for part in self._parts:
            end = start + len(part.located.rows)
            out[start:end] = part.values[part.located.place, part.first + lo : part.first + hi]
            start = end
        return out

    def frames(self) -> list[Frame]:
        """Each source by itself, those without any sample left out."""
        sources, length = self.times.shape
        lows = [0] * sources if self.lows is None else self.lows.tolist()
        highs = [length] * sources if self.highs is None else self.highs.tolist()
        ends = np.searchsorted(self.of, np.arange(1, sources + 1)).tolist()
        found, first, values = [], 0, self.values
        for source, (lo, hi, last) in enumerate(zip(lows, highs, ends, strict=True)):
            if lo < hi:
                times, cells = self.times[source, lo:hi], values[first:last, lo:hi]
                found.append(Frame(self.rows[first:last], times, cells, None, has_stale=False))
            first = last
        return found


def cohorts(parts: Sequence[Recent]) -> tuple[Cohort, ...]:
    """Those with equally many rows together; those without any left out."""
    by_length: dict[int, list[Recent]] = {}
    for part in parts:
        by_length.setdefault(len(part.times), []).append(part)
    return tuple(Cohort.joined(alike) for length, alike in by_length.items() if length)
