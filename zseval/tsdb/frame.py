"""Frame: what selection returns, samples of S series in one of two shapes.

Dense: every series has a sample at every one of T shared times. Ragged: each series has times of
its own, left-aligned. Kernels work on both; gaps, irregular arrivals and series that live in two
tables all become ragged, and only the columns concerned do, so that the rest stays on the fast path.
Staleness markers are real cells (instant selectors need them); absent cells never leave storage.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zseval.model.arrays import Histograms, Ids, Rows, Times, Values
from zseval.model.labelsets import LabelSets
from zseval.tsdb.gappy import Gappy
from zseval.tsdb.stretch import Stretches

if TYPE_CHECKING:
    from zseval.tsdb.cohort import Cohort
    from zseval.tsdb.start_times import StartTimes

__all__ = ["Frame", "HistogramFrame", "Selection"]


class Frame:
    """Samples of S series; nothing in it may be written to.

    rows: intp[S], which series of the Selection these are.
    times: int64[T] (dense) or int64[S, T] (ragged, padded with the largest int64), ms, increasing.
    values: float64[S, T], staleness markers included; or, where dense and without markers, the stretches
    of storage they are in, decoded when they are wanted.
    counts: intp[S], how many samples each series has, or None where dense.
    gappy: of a ragged frame whose series share their times but for gaps: the same samples at those times.
    has_stale: False only if no value is a staleness marker.
    """

    __slots__ = ("_ragged", "_times", "_values", "gappy", "has_stale", "rows", "stretches")

    def __init__(
        self,
        rows: Rows,
        times: Times,
        values: Values | Stretches | Gappy,
        counts: Rows | None,
        has_stale: bool,
    ) -> None:
        self.rows = rows
        self._times = times
        self.stretches = values if isinstance(values, Stretches) else None
        self.gappy = values if isinstance(values, Gappy) else None
        self._values = values if isinstance(values, np.ndarray) else None
        self._ragged = None if counts is None or self._values is None else (times, self._values, counts)
        self.has_stale = has_stale

    @classmethod
    def with_gaps(cls, rows: Rows, gappy: Gappy) -> Frame:
        """A ragged frame that is only put together when its samples are asked for."""
        return cls(rows, gappy.times, gappy, None, has_stale=gappy.stale is not None)

    @property
    def is_dense(self) -> bool:
        return self._ragged is None and self.gappy is None

    def _as_ragged(self) -> tuple[Times, Values, Rows] | None:
        if self._ragged is None and self.gappy is not None:
            self._ragged = self.gappy.compact()
        return self._ragged

    @property
    def times(self) -> Times:
        ragged = self._as_ragged()
        return self._times if ragged is None else ragged[0]

    @property
    def counts(self) -> Rows | None:
        ragged = self._as_ragged()
        return None if ragged is None else ragged[2]

    @property
    def shape(self) -> tuple[int, int]:
        """(S, T)."""
        if self.gappy is not None:
            return self.gappy.cells.shape
        if self._values is None:
            assert self.stretches is not None
            return self.stretches.shape
        return self._values.shape[0], self._values.shape[1]

    @property
    def size(self) -> int:
        """How many cells it has."""
        series, length = self.shape
        return series * length

    @property
    def values(self) -> Values:
        """float64[S, T], all of them; perhaps a view."""
        ragged = self._as_ragged()
        if ragged is not None:
            return ragged[1]
        if self._values is None:
            assert self.stretches is not None
            self._values = self.stretches.decode()
        return self._values

    def part(self, series: slice) -> Values:
        """float64[n, T] of some of the series, in order; not kept where it has to be decoded."""
        if self.stretches is not None and self._values is None:
            return self.stretches.decode(series)
        return self.values[series]

    def steps(self, series: slice | Rows) -> tuple[Values, Values]:
        """Of a dense frame the first values of some of the series, float64[n], and by how much each later one
        is above that before it, float64[n, T - 1].
        """
        if self._values is None:
            assert self.stretches is not None
            return self.stretches.steps(series)
        values = self._values[series]
        return values[:, 0], np.diff(values, axis=1)

    def pick(self, series: Rows) -> Frame:
        """The frame of some of the series, by position."""
        if self.gappy is not None:
            return Frame.with_gaps(self.rows[series], self.gappy.pick(series))
        rows, times = self.rows[series], self.times if self.is_dense else self.times[series]
        if self._values is None:
            assert self.stretches is not None
            return Frame(rows, times, self.stretches.pick(series), None, self.has_stale)
        counts = None if self.counts is None else self.counts[series]
        return Frame(rows, times, self._values[series], counts, self.has_stale)

    def between(self, lo: int, hi: int) -> Frame:
        """Of a dense frame the rows lo:hi; views."""
        if self._values is None and lo < hi:
            assert self.stretches is not None
            return Frame(self.rows, self.times[lo:hi], self.stretches.between(lo, hi), None, self.has_stale)
        return Frame(self.rows, self.times[lo:hi], self.values[:, lo:hi], None, self.has_stale)


@dataclass(frozen=True, slots=True, eq=False)
class HistogramFrame:
    """Native histograms of one series; it may have float samples in a Frame as well, at other times.

    row: which series of the Selection.  times: int64[T], ms, increasing.
    values: object[T], Histograms, those that are staleness markers included.
    """

    row: int
    times: Times
    values: Histograms


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """The series that a set of matchers selected, and their samples in a time range.

    ids: int32[S], series ids, increasing: the key under which label work can be cached with `epoch`.
    labels: their label sets, S of them.
    apart, cohorts: together hold every series that has a float sample in the range, each exactly once.
    histograms: every series that has a histogram in the range, increasing.
    starts: start times of samples, where they were asked for and there are any.
    """

    ids: Ids
    epoch: int
    labels: LabelSets
    apart: tuple[Frame, ...]
    histograms: tuple[HistogramFrame, ...] = ()
    starts: StartTimes | None = None
    cohorts: tuple[Cohort, ...] = ()

    def under(self, labels: LabelSets, starts: StartTimes | None) -> Selection:
        """The same with other label sets, equal to its own, and with start times."""
        if labels is self.labels and starts is self.starts:
            return self
        return Selection(self.ids, self.epoch, labels, self.apart, self.histograms, starts, self.cohorts)

    @property
    def frames(self) -> tuple[Frame, ...]:
        """All of them as frames."""
        return (*self.apart, *(frame for cohort in self.cohorts for frame in cohort.frames()))

    @property
    def size(self) -> int:
        """How many cells there are of floats."""
        size = 0
        for frame in self.apart:
            size += frame.size
        for cohort in self.cohorts:
            size += cohort.size
        return size
