"""rate, increase, irate and resets where start times are known: resets that no value shows.

starts: int64[S, T], when the counter of each sample began, ms, 0 where that is not known.
Source: promql/functions.go (isStartTimestampReset, checkStartTimeOverlap, extrapolatedRate).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from zseval.model.arrays import Mask, Rows, Times, Values
from zseval.promql.kernels.counters import CLOSE, add_lost, count_pairs, width_seconds
from zseval.promql.kernels.windows import Windows, take

__all__ = ["KERNELS", "overlaps"]


def _is_reset(before: Times, before_time: Times, start: Times, time: Times) -> Mask:
    """Whether a counter that began at `start` is another than that of the sample before.

    Beginning exactly at the sample before it means a delta, but only where that one's own start is sound.
    """
    valid = (start != 0) & (start < time)
    follows = (start == before_time) & (before < before_time) & (before != 0)
    reset: Mask = valid & ((start > before_time) | follows)
    return reset


def _fell(w: Windows, starts: Times) -> Mask:
    """bool[S, T - 1]: whether each sample but the first comes after a reset."""
    times = np.broadcast_to(w.times, w.values.shape)
    reset = _is_reset(starts[:, :-1], times[:, :-1], starts[:, 1:], times[:, 1:])
    return reset | (w.values[:, 1:] < w.values[:, :-1])


def rate(w: Windows, starts: Times) -> tuple[Values, Mask | None]:
    """Increase per second of each window, [S, K]."""
    gained, present = increase(w, starts)
    return gained / width_seconds(w), present


def increase(w: Windows, starts: Times) -> tuple[Values, Mask | None]:
    """Increase over each window, [S, K]: from 0 at the first start time, if that lies inside the window."""
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        first = w.first()
        gained = w.last() - first
        add_lost(gained, w, _fell(w, starts))
        first_time, last_time, began = w.time_at(w.lo), w.time_at(w.hi - 1), take(starts, w.lo)
        sampled = (last_time - first_time) / 1000.0
        average = np.where(w.counts > 1, sampled / (w.counts - 1), 0.0)
        to_start, to_end = (first_time - w.starts) / 1000.0, (w.ends - last_time) / 1000.0
        to_start = np.where(to_start >= average * CLOSE, average / 2, to_start)
        to_end = np.where(to_end >= average * CLOSE, average / 2, to_end)
        to_zero = np.where((gained > 0) & (first >= 0), sampled * (first / gained), to_start)
        known = (w.counts > 0) & (began != 0) & (began > w.starts) & (began < first_time)
        to_start = np.where(known, 0.0, np.minimum(to_zero, to_start))
        spanned = np.where(known, (last_time - began) / 1000.0, sampled)
        result = np.where(known, gained + first, gained) * ((spanned + to_start + to_end) / spanned)
    present = known | (w.counts > 1)
    return result, None if present.all() else present


def irate(w: Windows, starts: Times) -> tuple[Values, Mask | None]:
    """Increase per second between the last two samples, [S, K]; after a reset, the last value counts."""
    last, before = w.hi - 1, w.hi - 2
    time, before_time = w.time_at(last), w.time_at(before)
    value, previous = take(w.values, last), take(w.values, before)
    reset = _is_reset(take(starts, before), before_time, take(starts, last), time) | (value < previous)
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        gained = np.where(reset, value, value - previous)
        return gained / ((time - before_time) / 1000.0), w.holding(2)


def resets(w: Windows, starts: Times) -> tuple[Values, Mask | None]:
    """How often a counter began anew, [S, K]; absent in empty windows."""
    return count_pairs(w, _fell(w, starts))


def overlaps(w: Windows, starts: Times) -> Rows:
    """intp[S]: in how many windows a counter began before the sample before it, yet is another."""
    times = np.broadcast_to(w.times, w.values.shape)
    began = starts[:, 1:]
    marks = (began != 0) & (began < times[:, :-1]) & (began != starts[:, :-1])
    if not marks.any():
        return np.zeros(len(marks), dtype=np.intp)
    counted, _ = count_pairs(w, marks)
    found: Rows = np.count_nonzero(counted > 0, axis=1)
    return found


KERNELS: dict[str, Callable[[Windows, Times], tuple[Values, Mask | None]]] = {
    "increase": increase,
    "irate": irate,
    "rate": rate,
    "resets": resets,
}
"""The functions that look at start times, by name."""
