"""anchored and smoothed: ranges whose edges have values too.

An anchored range begins with the last sample before it; a smoothed one has values interpolated at both
edges. Samples up to a lookback beyond the range count for that, so windows here are wider than the
range: by the lookback before it and, where smoothed, after it.
Source: promql/functions.go (extendedRate, pickFirstSampleIndices, interpolate) and engine.go
(smoothSeries, extendFloats).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from zseval.model.arrays import Mask, Rows, Times, Values
from zseval.promql.kernels import counters
from zseval.promql.kernels.windows import Windows, last_rows, take

__all__ = ["KERNELS", "Reach", "edge_samples", "smoothed_at"]


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a range looks. width: of the range, ms.  lookback: beyond it, ms."""

    width: int
    lookback: int
    smoothed: bool

    @property
    def before(self) -> int:
        """ms from the range's end back to where samples begin to count."""
        return self.width + self.lookback

    @property
    def after(self) -> int:
        """ms beyond the range's end."""
        return self.lookback if self.smoothed else 0


class _Edges:
    """The samples at the edges of each range, and what the values there are.

    first, last: rows, intp[K] or intp[S, K].  first_time, last_time: ms.  left, right: float64[S, K].
    present: [K] or [S, K], where there is anything to measure.
    """

    __slots__ = ("ends", "first", "first_time", "last", "last_time", "left", "present", "right", "starts")

    def __init__(self, w: Windows, reach: Reach, *, counter: bool) -> None:
        self.ends: Times = w.ends - np.int64(reach.after)
        self.starts: Times = self.ends - np.int64(reach.width)
        newest = w.hi - 1
        self.first: Rows = np.maximum(w.lo, np.minimum(last_rows(w.times, self.starts) + 1, newest) - 1)
        self.last: Rows = newest
        if reach.smoothed:
            self.last = np.minimum(last_rows(w.times, self.ends - 1) + 1, newest)
        self.first_time, self.last_time = w.time_at(self.first), w.time_at(self.last)
        self.present: Mask = (w.counts > 0) & (self.last_time > self.starts)
        self.left, self.right = take(w.values, self.first), take(w.values, self.last)
        if reach.smoothed:
            early = self.first_time < self.starts
            late = (self.last > w.lo) & (self.last_time > self.ends)
            at_start = _between(w, self.first, self.starts, counter=counter)
            at_end = _between(w, self.last - 1, self.ends, counter=counter)
            self.left = np.where(early, at_start, self.left)
            self.right = np.where(late, at_end, self.right)

    def inner(self, w: Windows) -> Windows:
        """The samples strictly between the edges."""
        rows = w.values.shape[1]
        low = np.clip(self.first + (self.first_time <= self.starts), 0, rows)
        high = np.clip(self.last + (self.last_time < self.ends), low, rows)
        return Windows(w.values, w.times, low, high, self.starts, self.ends)


def _between(w: Windows, rows: Rows, times: Times, *, counter: bool) -> Values:
    """[S, K]: the value at `times` on the line from `rows` to the next; a counter that fell began at 0."""
    before, after = take(w.values, rows), take(w.values, rows + 1)
    begin, end = w.time_at(rows), w.time_at(rows + 1)
    if counter:
        before = np.where(after < before, 0.0, before)
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        values: Values = before + (after - before) * (times - begin) / (end - begin)
    return values


def _gained(w: Windows, reach: Reach, *, counter: bool) -> tuple[Values, Mask | None]:
    edges = _Edges(w, reach, counter=counter)
    with np.errstate(invalid="ignore", over="ignore"):
        gained = edges.right - edges.left
        if counter:
            inner = edges.inner(w)
            held = inner.counts > 0
            fell = held & (inner.first() < edges.left)
            previous = np.where(held, inner.last(), edges.left)
            gained += np.where(fell, edges.left, 0.0)
            gained += np.where(edges.right < previous, previous, 0.0)
            counters.add_lost(gained, inner)
    present = edges.present
    if reach.smoothed:
        present = present & (edges.first_time <= edges.ends)
    return gained, _full(present, gained)


def _full(present: Mask, values: Values) -> Mask | None:
    return None if present.all() else np.broadcast_to(present, values.shape)


def rate(w: Windows, reach: Reach) -> tuple[Values, Mask | None]:
    """Increase per second from edge to edge, [S, K]."""
    gained, present = _gained(w, reach, counter=True)
    return gained / (reach.width / 1000.0), present


def increase(w: Windows, reach: Reach) -> tuple[Values, Mask | None]:
    """Increase from edge to edge, counter resets made up for, [S, K]."""
    return _gained(w, reach, counter=True)


def delta(w: Windows, reach: Reach) -> tuple[Values, Mask | None]:
    """The value at the end less that at the start, [S, K]."""
    return _gained(w, reach, counter=False)


def changes(w: Windows, reach: Reach) -> tuple[Values, Mask | None]:
    """How often the value changed, from the last sample before the range on, [S, K]."""
    return counters.changes(_anchored(w, reach))


def resets(w: Windows, reach: Reach) -> tuple[Values, Mask | None]:
    """How often the value fell, from the last sample before the range on, [S, K]."""
    return counters.resets(_anchored(w, reach))


def _anchored(w: Windows, reach: Reach) -> Windows:
    """The samples of each range and the last one before it; nothing where the range has none."""
    starts = w.ends - np.int64(reach.width)
    after = last_rows(w.times, starts) + 1
    low = np.where(after < w.hi, np.maximum(w.lo, after - 1), w.hi)
    return Windows(w.values, w.times, low, w.hi, starts, w.ends)


KERNELS: dict[str, Callable[[Windows, Reach], tuple[Values, Mask | None]]] = {
    "changes": changes,
    "delta": delta,
    "increase": increase,
    "rate": rate,
    "resets": resets,
}
"""By function; the windows of each are `before` and `after` its range wide."""


def smoothed_at(w: Windows, lookback: int) -> tuple[Values, Mask | None]:
    """The value at each step, on the line between its neighbours, [S, K].

    w: windows from a lookback (ms) before the step to one after it. Without a later sample the earlier
    one stays; absent without an earlier one.
    """
    at = w.ends - np.int64(lookback)
    following = last_rows(w.times, at - 1) + 1
    inside = following < w.hi
    exact = inside & (w.time_at(following) == at)
    line = np.where(inside, _between(w, following - 1, at, counter=False), take(w.values, following - 1))
    values = np.where(exact, take(w.values, following), line)
    return values, _full(exact | (following > w.lo), values)


def edge_samples(w: Windows, reach: Reach) -> tuple[Times, Values, Rows]:
    """The samples of the only range, with those at its edges: times, values [S, T'] and counts intp[S]."""
    edges = _Edges(w, reach, counter=False)
    inner = edges.inner(w)
    series = len(w.values)
    low = np.broadcast_to(inner.lo, (series, 1))
    held = np.broadcast_to(inner.counts, (series, 1))
    place = np.arange(int(held.max(initial=0)) + 2)
    columns = low + np.clip(place - 1, 0, np.maximum(held - 1, 0))
    columns = np.minimum(columns, max(w.values.shape[1] - 1, 0))
    values = np.take_along_axis(w.values, columns, 1)
    times = np.take_along_axis(np.broadcast_to(w.times, w.values.shape), columns, 1)
    values[:, :1], times[:, :1] = edges.left, edges.starts
    ends = held == place - 1
    values, times = np.where(ends, edges.right, values), np.where(ends, edges.ends, times)
    return times, values, np.where(np.broadcast_to(edges.present, (series, 1)), held + 2, 0)[:, 0]
