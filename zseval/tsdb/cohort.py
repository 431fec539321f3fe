"""Cohort: the newest samples of many sources side by side, each with times of its own.

What rules and instant queries ask for is minutes long and not yet encoded. Each source would be a frame
of a few cells, and going through frame after frame costs more than the cells: so those that have equally
many rows become one matrix.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from zseval.model.arrays import Mask, Rows, Times, Values
from zseval.tsdb.frame import Frame
from zseval.tsdb.layout import Located

__all__ = ["Cohort", "Recent", "cohorts", "order_of"]


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
    span: all of its samples are in (span[0], span[1]], ms, where that is known.
    made: what was computed from it, for whoever asks the same.
    """

    __slots__ = (
        "_order",
        "_parts",
        "_size",
        "_values",
        "highs",
        "lows",
        "made",
        "of",
        "rising",
        "rows",
        "span",
        "times",
    )

    def __init__(
        self, rows: Rows, of: Rows, times: Times, *, rising: bool = False, order: Rows | None = None
    ) -> None:
        """order: intp[S], what sorts `rows`; empty where they are sorted; None where it is not known."""
        self.rows = rows
        self.of = of
        self.times = times
        self.rising = rising
        self.span: tuple[int, int] | None = None
        self.made: dict[Hashable, tuple[Values, Mask | None]] = {}
        self._order = order
        self._size = -1
        self.lows: Rows | None = None
        self.highs: Rows | None = None
        self._parts: Sequence[Recent] = ()
        self._values: Values | None = None

    @classmethod
    def joined(cls, parts: Sequence[Recent]) -> Cohort:
        """parts: with equally many rows, at least one part."""
        if len(parts) == 1:
            located, times = parts[0].located, parts[0].times
            made = cls(located.rows, np.zeros(len(located.rows), dtype=np.intp), times[np.newaxis])
            made._parts = parts
            return made
        rows = [part.located.rows for part in parts]
        of = np.repeat(np.arange(len(parts), dtype=np.intp), [len(some) for some in rows])
        times = np.concatenate([part.times for part in parts]).reshape(len(parts), -1)
        made = cls(np.concatenate(rows), of, times)
        made._parts = parts
        return made

    @classmethod
    def of_rows(
        cls,
        rows: Rows,
        of: Rows,
        times: Times,
        values: Values,
        lows: Rows | None,
        highs: Rows | None,
        *,
        rising: bool,
        order: Rows,
    ) -> Cohort:
        """times: int64[T, P].  values: float64[T, S]."""
        made = cls(rows, of, times.T, rising=rising, order=order)
        made._values, made.lows, made.highs = values.T, lows, highs
        return made

    @property
    def size(self) -> int:
        """How many cells are meant."""
        if self.lows is None or self.highs is None:
            return len(self.rows) * int(self.times.shape[1])
        if self._size < 0:
            self._size = int((self.highs - self.lows)[self.of].sum())
        return self._size

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

    def spread(self, values: Values, present: Mask | None, series: int) -> tuple[Values, Mask | None]:
        """[S, 1], a value for each of its series -> [N, 1], for each of all N, in their order."""
        if len(self.rows) == series:
            if self._order is None:
                self._order = order_of(self.rows)
            if not len(self._order):  # they are in order
                return values, present
            return values[self._order], None if present is None else present[self._order]
        spread, mask = np.zeros((series, 1)), np.zeros((series, 1), dtype=np.bool_)
        spread[self.rows] = values
        mask[self.rows] = True if present is None else present
        return spread, mask

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


def order_of(rows: Rows) -> Rows:
    """What sorts different numbers; empty where they are sorted."""
    if bool((rows[1:] > rows[:-1]).all()):
        return rows[:0]
    return np.argsort(rows)


def cohorts(parts: Sequence[Recent], span: tuple[int, int]) -> tuple[Cohort, ...]:
    """Those with equally many rows together; those without any left out. span: as that of a Cohort."""
    by_length: dict[int, list[Recent]] = {}
    for part in parts:
        by_length.setdefault(len(part.times), []).append(part)
    found = tuple(Cohort.joined(alike) for length, alike in by_length.items() if length)
    for cohort in found:
        cohort.span = span
    return found
