"""Instant selectors: the last sample of each series within the lookback of each step.

Source: promql/engine.go (vectorSelectorSingle): the lookback is left-open, and a staleness marker
found there ends the series, however fresh the sample before it.
"""

from __future__ import annotations

import numpy as np

from zseval.model.arrays import Mask, Rows, Times, Values
from zseval.model.staleness import is_stale
from zseval.promql.kernels.missing import Missing
from zseval.promql.kernels.windows import last_rows, places, take, take_times, window_bounds

__all__ = ["last_with_gaps", "last_within"]


def last_within(
    times: Times, values: Values, counts: Rows | None, ends: Times, lookback: int
) -> tuple[Values, Mask | None, Times]:
    """The last sample in `(end - lookback, end]` of each step.

    times: int64[T] (dense) or int64[S, T] (ragged, padded with NO_TIME), ms.  values: float64[S, T].
    counts: None where dense (the padding says as much).  lookback: ms.
    ends: int64[K], ms, increasing or all equal.
    Returns values float64[S, K] (may be a view), present bool[S, K] or None where all are, and the
    samples' times int64[K] (dense) or int64[S, K]. Absent cells hold values and times of no meaning.
    """
    rows = last_rows(times, ends)
    sample_times = take_times(times, rows)
    fresh = (rows >= 0) & (sample_times > ends - np.int64(lookback))
    found = take(values, rows)
    present = None if fresh.all() else np.broadcast_to(fresh, found.shape)
    stale = is_stale(found)
    if stale.any():
        present = ~stale if present is None else present & ~stale
    return found, present, sample_times


def last_with_gaps(
    times: Times, values: Values, present: Mask, ends: Times, lookback: int
) -> tuple[Values, Mask | None, Times]:
    """As `last_within`, of series that share their times but for missing samples; times int64[S, K].

    times: int64[T], ms.  values: float64[S, T], of no meaning where not present, bool[S, T].
    """
    missing = Missing(present)
    oldest, rows = window_bounds(times, ends, lookback)  # [K]
    rows -= 1
    found = take(missing.before(values), rows)
    held = np.empty(found.shape, dtype=np.bool_)
    held[:] = rows >= oldest
    sample_times = np.empty(found.shape, dtype=np.int64)
    sample_times[:] = take_times(times, rows)
    series, steps = places(take(missing.mask, rows))
    last = missing.last_rows(series, np.maximum(rows[steps], 0))
    held[series, steps] &= last >= oldest[steps]
    sample_times[series, steps] = times.take(last, mode="clip")
    held &= ~is_stale(found)
    return found, None if held.all() else held, sample_times
