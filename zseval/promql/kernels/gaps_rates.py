"""rate, increase and delta of series that share their times but for missing samples.

Filled in from either side, the first and last value of every window are slices of one matrix, as where
nothing is missing; and extrapolation is the same factor for all series of a source, but for windows with a
gap at an edge and for those that extrapolate by the average distance of their samples, which are computed
one by one.
Source: promql/functions.go (extrapolatedRate).
"""

from __future__ import annotations

import numpy as np

from zseval.model.arrays import Mask, Rows, Values
from zseval.promql.kernels import counters
from zseval.promql.kernels.gaps import Counts, Gaps
from zseval.promql.kernels.windows import Differences, places, take

__all__ = ["delta", "increase", "rate"]


def rate(gaps: Gaps) -> tuple[Values, Mask | None]:
    """As `counters.rate`."""
    return _extrapolated(gaps, counter=True, per_second=True)


def increase(gaps: Gaps) -> tuple[Values, Mask | None]:
    """As `counters.increase`."""
    return _extrapolated(gaps, counter=True, per_second=False)


def delta(gaps: Gaps) -> tuple[Values, Mask | None]:
    """As `counters.delta`."""
    return _extrapolated(gaps, counter=False, per_second=False)


def _extrapolated(gaps: Gaps, *, counter: bool, per_second: bool) -> tuple[Values, Mask | None]:
    shape = (len(gaps.values), len(gaps.ends))
    if not gaps.values.size or not len(gaps.ends):
        return np.zeros(shape), np.zeros(shape, dtype=np.bool_)
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        before = gaps.missing.before(gaps.values)
        dense = gaps.over(gaps.missing.after(gaps.values))
        counts = gaps.counts
        present = counts >= 2
        newest = gaps.values.shape[1] - 1  # rows of empty windows only have to be some
        first_to_last = Differences(np.minimum(gaps.lo, newest), np.maximum(gaps.hi - 1, 0))
        gained = first_to_last.of(before, dense.values)
        unsteady = often = np.zeros(0, dtype=np.intp)
        if counter:
            unsteady, often = _add_lost(gained, gaps, before)
        edges = counters.Edges.of(dense)
        seconds = counters.width_seconds(dense) if per_second else 1.0
        result = dense.scaled(gained, edges.factor(edges.to_start) / seconds)
        if counter:
            counters.stop_at_zero(result, gained, dense, edges, seconds, present, unsteady)
        _one_by_one(result, gained, counts, gaps, dense.values, edges, seconds, counter=counter)
        kernel = counters.rate if per_second else counters.increase
        for series in gaps.by_source(often):
            result[series] = kernel(gaps.windows(series))[0]
    return result, None if present.all() else present


def _add_lost(gained: Values, gaps: Gaps, values: Values) -> tuple[Rows, Rows]:
    """Adds what was lost in the resets of counters that fell once; returns the series that do not only rise,
    and those that fell more often.

    values: float64[S, T], each missing one as the last before it.
    """
    series, rows = places(~(values[:, 1:] >= values[:, :-1]))  # also where there is a NaN
    unsteady = series[np.diff(series, prepend=-1) > 0]
    fell = values[series, rows + 1] < values[series, rows]
    fallen, before = series[fell], rows[fell]  # and the last row before each fall
    falls = np.bincount(fallen, minlength=len(values))
    only = falls[fallen] == 1
    once, before = fallen[only], before[only]  # the sample after it is there: else nothing would fall
    if len(once):
        # The windows that hold the last sample before the fall, and the one after it, follow one another.
        first = np.searchsorted(gaps.hi, before + 1, side="right")
        last = np.searchsorted(gaps.lo, gaps.missing.last_rows(once, before), side="right")
        counts = np.maximum(last - first, 0)
        steps = np.arange(counts.sum()) + np.repeat(first - (np.cumsum(counts) - counts), counts)
        gained[slice(None) if len(once) == len(gained) else once] += 0.0
        gained[np.repeat(once, counts), steps] += np.repeat(values[once, before], counts)
    return unsteady, np.flatnonzero(falls > 1)


def _one_by_one(
    result: Values,
    gained: Values,
    counts: Counts,
    gaps: Gaps,
    after: Values,
    edges: counters.Edges,
    seconds: float,
    *,
    counter: bool,
) -> None:
    """Windows that do not extrapolate as their source does. result: float64[S, K], written to.

    after: float64[S, T], values with each missing one as the next after it.
    """
    own = take(gaps.missing.mask, gaps.lo) | take(gaps.missing.mask, gaps.hi - 1)
    far = edges.reaches_far
    if far.any():
        own |= far[gaps.phases.of]
    series, steps = places(own & (counts >= 2))
    if not len(series):
        return
    cells = series * own.shape[1] + steps
    times, lo = gaps.phases.times, gaps.lo.take(steps)
    source = gaps.phases.of.take(series) * times.shape[1]  # where its times begin
    first = times.take(source + gaps.missing.first_rows(series, lo))
    last = times.take(source + gaps.missing.last_rows(series, gaps.hi.take(steps) - 1))
    sampled = (last - first) / 1000.0
    average = sampled / (counts.take(cells) - 1)
    to_start = counters.reach((first - gaps.starts.take(steps)) / 1000.0, average)
    to_end = counters.reach((gaps.ends.take(steps) - last) / 1000.0, average)
    gain = gained.take(cells)
    if counter:
        start = after.take(series * after.shape[1] + lo)
        to_zero = np.where((gain > 0) & (start >= 0), sampled * (start / gain), to_start)
        to_start = np.minimum(to_zero, to_start)
    result[series, steps] = gain * ((sampled + to_start + to_end) / sampled / seconds)
