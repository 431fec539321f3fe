"""rate, increase and delta of series that share their times but for missing samples.

Missing cells are few. Filled in from either side, the first and last value of every window are slices of
one matrix, as where nothing is missing; and extrapolation is the same factor for all series of a source,
but for windows with a gap at an edge and for those that extrapolate by the average distance of their
samples, which are computed one by one.
Source: promql/functions.go (extrapolatedRate).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zseval.model.arrays import Mask, Rows, Times, Values
from zseval.promql.kernels import counters
from zseval.promql.kernels.windows import Phases, Windows, take

__all__ = ["Gaps", "delta", "increase", "rate"]


@dataclass(frozen=True, slots=True, eq=False)
class Gaps:
    """Samples of S series of P sources, and K windows over them; no staleness markers.

    values: float64[S, T], of no meaning where not present.  present: bool[S, T].
    phases: when each source was sampled.  lo, hi: intp[K], rows of each window, the same for all sources.
    starts, ends: int64[K], ms; windows are (start, end].
    """

    values: Values
    present: Mask
    phases: Phases
    lo: Rows
    hi: Rows
    starts: Times
    ends: Times

    def windows(self, series: Rows) -> Windows:
        """The windows of some series of one source, gaps closed."""
        times = self.phases.times[self.phases.of[series[0]]]
        width = int(self.ends[0] - self.starts[0])
        return Windows.with_gaps(times, self.values[series], self.present[series], self.ends, width)


def rate(gaps: Gaps) -> tuple[Values, Mask | None]:
    """As `counters.rate`."""
    return _extrapolated(gaps, counter=True, per_second=True)


def increase(gaps: Gaps) -> tuple[Values, Mask | None]:
    """As `counters.increase`."""
    return _extrapolated(gaps, counter=True, per_second=False)


def delta(gaps: Gaps) -> tuple[Values, Mask | None]:
    """As `counters.delta`."""
    return _extrapolated(gaps, counter=False, per_second=False)


class _Filled:
    """What is missing, and values in its place.

    before, after: float64[S, T], the values with each missing one as the last before it, or the next after
    it; NaN where there is none.
    """

    __slots__ = ("_cells", "_ends", "_runs", "_starts", "after", "before", "missing")

    def __init__(self, values: Values, present: Mask) -> None:
        length = values.shape[1]
        self.missing = ~present
        self._cells = cells = np.flatnonzero(self.missing)
        rows = cells // length
        begins = np.ones(len(cells), dtype=np.bool_)
        begins[1:] = (np.diff(cells) != 1) | (np.diff(rows) != 0)
        first = np.flatnonzero(begins)
        last = np.append(first[1:], len(cells)) - 1 if len(cells) else first
        self._runs = np.cumsum(begins) - 1
        self._starts, self._ends = cells[first] % length, cells[last] % length
        flat = values.ravel()
        previous = np.where(self._starts > 0, flat.take(cells[first] - 1, mode="clip"), np.nan)
        following = np.where(self._ends < length - 1, flat.take(cells[last] + 1, mode="clip"), np.nan)
        self.before, self.after = values.copy(), values.copy()
        self.before.ravel()[cells] = previous[self._runs]
        self.after.ravel()[cells] = following[self._runs]

    def first_rows(self, series: Rows, rows: Rows) -> Rows:
        """intp[N]: the first row not before these that has a sample of the series; T where there is none."""
        found, at = self._run(series, rows)
        return np.where(found, self._ends[at] + 1, rows) if len(self._cells) else rows

    def last_rows(self, series: Rows, rows: Rows) -> Rows:
        """intp[N]: the last row not after these; -1 where there is none."""
        found, at = self._run(series, rows)
        return np.where(found, self._starts[at] - 1, rows) if len(self._cells) else rows

    def _run(self, series: Rows, rows: Rows) -> tuple[Mask, Rows]:
        """Whether these cells are missing, and in which run of missing cells."""
        found = self.missing[series, rows]
        at = np.searchsorted(self._cells, series * self.missing.shape[1] + rows)
        return found, self._runs.take(at, mode="clip") if len(self._runs) else at


def _extrapolated(gaps: Gaps, *, counter: bool, per_second: bool) -> tuple[Values, Mask | None]:
    shape = (len(gaps.values), len(gaps.ends))
    if not gaps.values.size or not len(gaps.ends):
        return np.zeros(shape), np.zeros(shape, dtype=np.bool_)
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        filled = _Filled(gaps.values, gaps.present)
        dense = Windows(
            filled.after, gaps.phases.times[0], gaps.lo, gaps.hi, gaps.starts, gaps.ends, gaps.phases
        )
        counts = _counts(gaps)
        present = counts >= 2
        gained = take(filled.before, gaps.hi - 1) - dense.first()
        often = np.zeros(0, dtype=np.intp)
        if counter:
            often = _add_lost(gained, gaps, filled)
        edges = counters.Edges(dense)
        seconds = counters.width_seconds(dense) if per_second else 1.0
        result = dense.scaled(gained, edges.factor(edges.to_start) / seconds)
        if counter:
            counters.stop_at_zero(result, gained, dense, edges, seconds, present)
        _one_by_one(result, gained, counts, gaps, filled, edges, seconds, counter=counter)
        kernel = counters.rate if per_second else counters.increase
        for source in np.unique(gaps.phases.of[often]).tolist():
            series = often[gaps.phases.of[often] == source]
            result[series] = kernel(gaps.windows(series))[0]
    return result, None if present.all() else present


def _counts(gaps: Gaps) -> Rows:
    """int32[S, K]: samples in each window."""
    held = np.zeros((gaps.present.shape[0], gaps.present.shape[1] + 1), dtype=np.int32)
    np.cumsum(gaps.present, axis=1, out=held[:, 1:])
    counts: Rows = take(held, gaps.hi) - take(held, gaps.lo)
    return counts


def _add_lost(gained: Values, gaps: Gaps, filled: _Filled) -> Rows:
    """Adds what was lost in the resets of counters that fell once; returns those that did more often."""
    fell = filled.before[:, 1:] < filled.before[:, :-1]
    falls = np.count_nonzero(fell, axis=1)
    once = np.flatnonzero(falls == 1)
    if len(once):
        before = fell[once].argmax(axis=1)  # the sample after it is there: else nothing would fall
        last = filled.last_rows(once, before)[:, np.newaxis]
        inside = (gaps.lo <= last) & (before[:, np.newaxis] + 1 < gaps.hi)  # [N, K]
        lost = filled.before[once, before][:, np.newaxis]
        gained[once] += np.where(inside, lost, 0.0)
    return np.flatnonzero(falls > 1)


def _one_by_one(
    result: Values,
    gained: Values,
    counts: Rows,
    gaps: Gaps,
    filled: _Filled,
    edges: counters.Edges,
    seconds: float,
    *,
    counter: bool,
) -> None:
    """Windows that do not extrapolate as their source does. result: float64[S, K], written to."""
    own = take(filled.missing, gaps.lo) | take(filled.missing, gaps.hi - 1)
    far = edges.reaches_far
    if far.any():
        own |= far[gaps.phases.of]
    series, steps = np.nonzero(own & (counts >= 2))
    if not len(series):
        return
    times = gaps.phases.times
    source = gaps.phases.of[series]
    first_rows = filled.first_rows(series, gaps.lo[steps])
    first = times[source, first_rows]
    last = times[source, filled.last_rows(series, gaps.hi[steps] - 1)]
    sampled = (last - first) / 1000.0
    average = sampled / (counts[series, steps] - 1)
    to_start = counters.reach((first - gaps.starts[steps]) / 1000.0, average)
    to_end = counters.reach((gaps.ends[steps] - last) / 1000.0, average)
    gain = gained[series, steps]
    if counter:
        start = filled.after[series, gaps.lo[steps]]
        to_zero = np.where((gain > 0) & (start >= 0), sampled * (start / gain), to_start)
        to_start = np.minimum(to_zero, to_start)
    result[series, steps] = gain * ((sampled + to_start + to_end) / sampled / seconds)
