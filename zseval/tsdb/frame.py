"""Frame: what selection returns, samples of S series in one of two shapes.

Dense: every series has a sample at every one of T shared times. Ragged: each series has times of
its own, left-aligned. Kernels work on both; gaps, irregular arrivals and series that live in two
tables all become ragged, and only the columns concerned do, so that the rest stays on the fast path.
Staleness markers are real cells (instant selectors need them); absent cells never leave storage.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zseval.model.arrays import Histograms, Ids, Rows, Times, Values
from zseval.model.labelsets import LabelSets

if TYPE_CHECKING:
    from zseval.tsdb.start_times import StartTimes

__all__ = ["Frame", "HistogramFrame", "Selection"]


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """Samples of S series; nothing in it may be written to.

    rows: intp[S], which series of the Selection these are.
    times: int64[T] (dense) or int64[S, T] (ragged, padded with the largest int64), ms, increasing.
    values: float64[S, T]; staleness markers included.
    counts: intp[S], how many samples each series has, or None where dense.
    has_stale: False only if no value is a staleness marker.
    """

    rows: Rows
    times: Times
    values: Values
    counts: Rows | None
    has_stale: bool

    @property
    def is_dense(self) -> bool:
        return self.counts is None


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
    frames: together hold every series that has a float sample in the range, each exactly once.
    histograms: every series that has a histogram in the range, increasing.
    starts: start times of samples, where they were asked for and there are any.
    """

    ids: Ids
    epoch: int
    labels: LabelSets
    frames: tuple[Frame, ...]
    histograms: tuple[HistogramFrame, ...] = ()
    starts: StartTimes | None = None
