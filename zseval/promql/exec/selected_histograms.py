"""Instant selectors of series that have native histograms, by themselves or between floats."""

# numpy's types of object arrays do not say what the objects are.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportReturnType=false

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from zseval.model.arrays import Histograms, Times, no_histograms
from zseval.model.histogram import CounterReset, Histogram
from zseval.promql.exec.context import Context
from zseval.promql.exec.vector import Vector
from zseval.promql.kernels.windows import last_rows, take_times
from zseval.tsdb.frame import Frame, HistogramFrame, Selection

__all__ = ["selected_histograms", "with_histograms", "with_resets_told"]

_NEVER = np.iinfo(np.int64).min


def with_histograms(
    vector: Vector, selection: Selection, ends: Times, ctx: Context, *, times: bool
) -> Vector:
    """The vector of the float samples, with the histograms that are newer.

    times: the vector is of sample times, int64 ms in seconds, and so is the result.
    """
    values, present = vector.values.copy(), vector.mask().copy()
    histograms = no_histograms(values.shape)
    for frame in selection.histograms:
        rows = last_rows(frame.times, ends)
        at = np.where(rows >= 0, frame.times[np.maximum(rows, 0)], _NEVER)
        newer = (rows >= 0) & (at > _float_times(selection.frames, frame.row, ends))
        fresh = newer & (at > ends - np.int64(ctx.query.lookback_ms))
        present[frame.row] &= ~newer
        found = with_resets_told(frame.values) if ctx.totals_only else frame.values
        for step in np.flatnonzero(fresh).tolist():
            histogram = found[rows[step]]
            if not histogram.is_stale:
                present[frame.row, step] = True
                values[frame.row, step] = at[step] / 1000.0
                histograms[frame.row, step] = histogram
    if times:
        return vector.with_values(values, present)
    return replace(vector, values=values, present=present, histograms=histograms)


def selected_histograms(selection: Selection, ctx: Context) -> tuple[HistogramFrame, ...]:
    """The histograms of a selection as range functions see them."""
    if not ctx.totals_only:
        return selection.histograms
    return tuple(replace(each, values=with_resets_told(each.values)) for each in selection.histograms)


def _float_times(frames: Sequence[Frame], row: int, ends: Times) -> Times:
    """int64[K]: when a series had its last float, staleness markers included, at each end."""
    for frame in frames:
        places = np.flatnonzero(frame.rows == row)
        if len(places):
            times = frame.times if frame.is_dense else frame.times[places[0]]
            rows = last_rows(times, ends)
            return np.where(rows >= 0, take_times(times, rows), _NEVER)
    return np.full(len(ends), _NEVER, dtype=np.int64)


def with_resets_told(values: Histograms) -> Histograms:
    """The histograms of one series, of each that does not say so whether it is a reset."""
    told = values.copy()
    last: Histogram | None = None
    for index, histogram in enumerate(values):
        if histogram.is_stale:
            continue
        if last is not None and histogram.counter_reset is CounterReset.UNKNOWN:
            reset = histogram.is_reset_after(last)
            told[index] = histogram.with_hint(CounterReset.RESET if reset else CounterReset.NOT_RESET)
        last = histogram
    return told
