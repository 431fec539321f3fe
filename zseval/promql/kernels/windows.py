"""Windows: which rows of a frame each evaluation step looks at, and how to take cells there.

A range function is written once, for two layouts. Dense: all series share their times, so bounds are
`[K]` and a gather is a slice or a `take` of columns. Ragged: each series has times of its own, so
bounds are `[S, K]`. Windows are left-open, `(end - width, end]`, as they are since Prometheus 3.0.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from zseval.model.arrays import Mask, Rows, Times, Values

__all__ = [
    "NO_TIME",
    "Differences",
    "Phases",
    "Windows",
    "compact",
    "last_rows",
    "places",
    "ragged_bounds",
    "take",
    "take_times",
    "window_bounds",
]

Scalar = TypeVar("Scalar", bound=np.generic)

_MOST_PARTS = 8
"""Into so many runs of evenly spaced windows sums over windows are taken apart."""

_FEW_STEPS = 16
"""Of so few steps it costs less to lay out what each source has for all of its series."""

NO_TIME = np.iinfo(np.int64).max
"""What pads the times of a ragged frame: later than every window."""


@dataclass(slots=True, eq=False)
class Phases:
    """times: int64[P, T], ms, when each source was sampled.  of: intp[S], each series' source."""

    times: Times
    of: Rows

    @property
    def shifts(self) -> Times:
        """int64[P, 1], ms, how much later than the first each source begins."""
        return self.times[:, :1] - self.times[:1, :1]


@dataclass(slots=True, eq=False)
class Windows:
    """The samples of S series and K windows over them; nothing in it may be written to.

    values: float64[S, T], without staleness markers.
    times: int64[T] (dense) or int64[S, T] (ragged, padded with NO_TIME), ms, increasing.
    lo, hi: intp[K] (dense) or intp[S, K] (ragged). Window k holds rows lo[k]:hi[k]; equal is empty.
    starts, ends: int64[K], ms; windows are (start, end].
    phases: of dense series that come from several sources, whose windows have the same rows at other times;
    `times` are then those of the first source. Only kernels that the function table calls phased see such.
    rising: True only where no value is less than the one before.
    skipped: so many samples of each window, between its first and its last, are not among the values, as they
    make no difference.
    """

    values: Values
    times: Times
    lo: Rows
    hi: Rows
    starts: Times
    ends: Times
    phases: Phases | None = None
    rising: bool = False
    skipped: int = 0

    @classmethod
    def single(
        cls, values: Values, starts: Times, ends: Times, phases: Phases, *, rising: bool, skipped: int = 0
    ) -> Windows:
        """One window, (starts[0], ends[0]], over all rows of all sources."""
        bounds = np.zeros(1, dtype=np.intp), np.array([values.shape[1]], dtype=np.intp)
        return cls(values, phases.times[0], *bounds, starts, ends, phases, rising, skipped)

    @property
    def is_single(self) -> bool:
        """Whether it is one window over all rows of several sources."""
        if self.phases is None or len(self.ends) != 1:
            return False
        return bool(self.hi[0] - self.lo[0] == self.values.shape[1])

    @classmethod
    def with_gaps(cls, times: Times, values: Values, present: Mask, ends: Times, width: int) -> Windows:
        """Ragged windows over what is present, bool[S, T], of values at shared times, int64[T]."""
        lo, hi = window_bounds(times, ends, width)
        held = np.zeros((present.shape[0], present.shape[1] + 1), dtype=np.intp)
        np.cumsum(present, axis=1, out=held[:, 1:])
        own_times, own_values, _ = compact(times, values, present)
        starts = ends - np.int64(width)
        return cls(own_values, own_times, take(held, lo), take(held, hi), starts, ends)

    @classmethod
    def of(cls, times: Times, values: Values, counts: Rows | None, ends: Times, width: int) -> Windows:
        """The windows (end - width, end] over a frame. counts: None for a dense one."""
        starts = ends - np.int64(width)
        if counts is None:
            return cls(values, times, *window_bounds(times, ends, width), starts, ends)
        return cls(values, times, *ragged_bounds(times, ends, width), starts, ends)

    @property
    def is_dense(self) -> bool:
        return self.lo.ndim == 1

    @property
    def shape(self) -> tuple[int, int]:
        """(S, K)."""
        return self.values.shape[0], len(self.ends)

    @property
    def counts(self) -> Rows:
        """intp[K] or intp[S, K]: samples in each window."""
        return self.hi - self.lo + self.skipped

    def take(self, array: NDArray[Scalar], rows: Rows) -> NDArray[Scalar]:
        """[S, K]: cells of `array` [S, T] (or [S, T + 1]) at `rows`, intp[K] or intp[S, K].

        A view where the rows allow it. Rows off either end give a cell of no meaning: callers mask it.
        """
        return take(array, rows)

    def first(self) -> Values:
        """[S, K]: the first value of each window; of no meaning where it is empty."""
        return take(self.values, self.lo)

    def last(self) -> Values:
        """[S, K]: the last value of each window; of no meaning where it is empty."""
        return take(self.values, self.hi - 1)

    def first_to_last(self) -> Values:
        """[S, K], fresh: the last value of each window less the first; of no meaning where it is empty."""
        newest = self.values.shape[1] - 1
        if not self.is_dense or newest < 0:
            return self.last() - self.first()
        return Differences(np.minimum(self.lo, newest), np.maximum(self.hi - 1, 0)).of(self.values)

    def time_at(self, rows: Rows) -> Times:
        """int64[K] or int64[S, K], ms: times of `rows`, which have the shape of lo. Of the first source."""
        return take_times(self.times, rows)

    def source_time_at(self, rows: Rows) -> Times:
        """The same for each source, int64[P, K], where there are several."""
        return take_times(self.times if self.phases is None else self.phases.times, rows)

    def spread(self, array: NDArray[Scalar]) -> NDArray[Scalar]:
        """[P, K], of each source -> [S, K]. Without several sources the array itself."""
        return array if self.phases is None else array[self.phases.of]

    def scaled(self, array: Values, factor: Values) -> Values:
        """array, [S, K], times a factor for each window, [K] or [S, K], or for each source, [P, K]."""
        if self.phases is None:
            return array * factor
        if array.shape[1] <= _FEW_STEPS or len(factor) == 1:
            return array * (factor if len(factor) == 1 else factor[self.phases.of])
        result, of = np.empty(array.shape), self.phases.of
        cuts = [0, *(np.flatnonzero(np.diff(of)) + 1).tolist(), len(of)]
        for first, last in itertools.pairwise(cuts):
            if first < last:
                np.multiply(array[first:last], factor[of[first]], out=result[first:last])
        return result

    def holding(self, least: int) -> Mask | None:
        """bool[S, K]: windows with at least so many samples; None where all have."""
        enough = self.counts >= least
        if enough.all():
            return None
        return np.broadcast_to(enough, self.shape)

    def pick(self, series: Rows | slice) -> Windows:
        """The windows of some of the series; a view for a slice."""
        times = self.times if self.times.ndim == 1 else self.times[series]
        lo, hi = (self.lo, self.hi) if self.is_dense else (self.lo[series], self.hi[series])
        phases = None if self.phases is None else Phases(self.phases.times, self.phases.of[series])
        rising, skipped = self.rising, self.skipped
        return Windows(self.values[series], times, lo, hi, self.starts, self.ends, phases, rising, skipped)

    def with_values(self, values: Values) -> Windows:
        """The same windows over other values."""
        return Windows(values, self.times, self.lo, self.hi, self.starts, self.ends, self.phases)

    def of_sources(self, values: Values, phases: Phases) -> Windows:
        """The same windows over values of several sources."""
        return Windows(values, self.times, self.lo, self.hi, self.starts, self.ends, phases)

    def after_first(self) -> Windows:
        """The windows less their first rows."""
        lo = np.minimum(self.lo + 1, self.hi)
        return Windows(self.values, self.times, lo, self.hi, self.starts, self.ends, self.phases)


def window_bounds(times: Times, ends: Times, width: int) -> tuple[Rows, Rows]:
    """Rows of the left-open windows `(end - width, end]`.

    times: int64[T], ms, increasing.  ends: int64[K], ms.  width: ms, above 0.
    Returns lo, hi: intp[K]. Window k holds rows lo[k]:hi[k]; lo[k] == hi[k] means it is empty.
    Source: Prometheus docs/querying/basics.md, range vector selectors (left-open since 3.0).
    """
    lo = np.searchsorted(times, ends - np.int64(width), side="right")  # [K] first row after the left edge
    hi = np.searchsorted(times, ends, side="right")  # [K] one past the last row not after the end
    return lo, hi


def ragged_bounds(times: Times, ends: Times, width: int) -> tuple[Rows, Rows]:
    """`window_bounds` for series with times of their own.

    times: int64[S, T], ms, increasing, padded with NO_TIME.  ends: int64[K], ms, increasing or all equal.
    Returns lo, hi: intp[S, K].
    """
    count = len(ends)
    step = _even_step(ends)
    if step is not None and width % step == 0 and width // step <= 4 * count:
        # Left edges are earlier right edges: one count over a longer row of edges gives both.
        ahead = width // step
        edges = ends[0] + np.arange(-ahead, count, dtype=np.int64) * np.int64(step)
        held = last_rows(times, edges) + 1
        return held[:, :count], held[:, ahead:]
    return last_rows(times, ends - np.int64(width)) + 1, last_rows(times, ends) + 1


def last_rows(times: Times, ends: Times) -> Rows:
    """The last row not after each end, -1 where there is none.

    times: int64[T] or int64[S, T] (padded with NO_TIME).  ends: int64[K], increasing or all equal.
    Returns intp[K] or intp[S, K]. For ragged times each sample counts itself into the first step that
    sees it and a running sum does the rest: no search per cell.
    """
    if times.ndim == 1:
        return np.searchsorted(times, ends, side="right") - 1
    series, count = times.shape[0], len(ends)
    if count == 0 or times.size == 0:
        return np.full((series, count), -1, dtype=np.intp)
    if count == 1 or ends[0] == ends[-1]:
        rows = np.count_nonzero(times <= ends[0], axis=1) - 1
        return np.broadcast_to(rows[:, np.newaxis], (series, count))
    bins = _first_steps(times, ends)
    bins += np.arange(series, dtype=np.intp)[:, np.newaxis] * (count + 1)
    held = np.bincount(bins.ravel(), minlength=series * (count + 1)).reshape(series, count + 1)
    rows = np.cumsum(held[:, :count], axis=1)
    rows -= 1
    return rows


def _first_steps(times: Times, ends: Times) -> Rows:
    """intp[S, T]: the first k with times <= ends[k]; K where there is none."""
    step = _even_step(ends)
    if step is None:
        return np.searchsorted(ends, times, side="left")
    bins = np.clip(times, ends[0], ends[-1] + 1)
    bins -= ends[0] - (step - 1)
    bins //= step
    return bins


def _even_step(ends: Times) -> int | None:
    """The distance between ends where it is the same for all and above 0."""
    if len(ends) < 2:
        return None
    steps = ends[1:] - ends[:-1]
    step = int(steps[0])
    return step if step > 0 and bool((steps == step).all()) else None


def compact(times: Times, values: Values, keep: Mask) -> tuple[Times, Values, Rows]:
    """The kept samples of each series, moved to the left: a ragged frame.

    times: int64[T] or int64[S, T].  values: float64[S, T].  keep: bool[S, T].
    Returns times int64[S, T'] padded with NO_TIME, values float64[S, T'] padded with infinity, which no value
    falls to and no NaN is, counts intp[S]; T' is the longest series' count. Copies.
    """
    counts = np.count_nonzero(keep, axis=1).astype(np.intp, copy=False)
    longest = int(counts.max(initial=0))
    filled = np.arange(longest, dtype=np.intp) < counts[:, np.newaxis]  # [S, T']
    kept_times = np.full(filled.shape, NO_TIME, dtype=np.int64)
    kept_values = np.full(filled.shape, np.inf, dtype=np.float64)
    cells = np.flatnonzero(keep)
    kept_times[filled] = np.broadcast_to(times, keep.shape).ravel()[cells]
    kept_values[filled] = values.ravel()[cells]
    return kept_times, kept_values, counts


def take(array: NDArray[Scalar], rows: Rows) -> NDArray[Scalar]:
    """[S, K]: cells of `array` [S, T] at `rows`, intp[K] (the same for all series) or intp[S, K].

    Evenly spaced shared rows give a view. Rows outside give a cell of no meaning.
    """
    series, length = array.shape
    if length == 0:
        return np.zeros((series, rows.shape[-1]), dtype=array.dtype)
    if rows.ndim == 1:
        even = _as_slice(rows, length)
        shared: NDArray[Scalar] = array[:, even] if even is not None else array.take(rows, 1, mode="clip")
        return shared
    flat = rows + np.arange(series, dtype=np.intp)[:, np.newaxis] * length
    own: NDArray[Scalar] = array.ravel().take(flat, mode="clip")
    return own


class Differences:
    """Sums over windows from running sums: at the windows' ends less at their beginnings.

    lo, hi: intp[K], or intp[S, K]. Where shared ones are evenly spaced for a while, nothing is copied first:
    the windows of a range query grow, stay as long as they are, and perhaps shrink.
    """

    __slots__ = ("_hi", "_lo", "_parts")

    def __init__(self, lo: Rows, hi: Rows) -> None:
        self._lo, self._hi = lo, hi
        self._parts = _even_parts(lo, hi) if lo.ndim == 1 and len(lo) > 1 else None

    def of(self, running: NDArray[Scalar], before: NDArray[Scalar] | None = None) -> NDArray[Scalar]:
        """[S, K]: running, [S, T + 1], at hi, less the same, or `before`, at lo."""
        earlier = running if before is None else before
        if self._parts is None:
            whole: NDArray[Scalar] = np.subtract(take(running, self._hi), take(earlier, self._lo))
            return whole
        sums = np.empty((len(running), len(self._lo)), dtype=running.dtype)
        for steps, first, last in self._parts:
            np.subtract(running[:, last], earlier[:, first], out=sums[:, steps])
        return sums


def _even_parts(lo: Rows, hi: Rows) -> list[tuple[slice, slice, slice]] | None:
    """Runs of windows whose bounds both go on in steps of one size, and those bounds; None for many."""
    first, last = lo[1:] - lo[:-1], hi[1:] - hi[:-1]
    turns = ((first[1:] != first[:-1]) | (last[1:] != last[:-1])).nonzero()[0] + 2  # where a run ends
    if len(turns) > _MOST_PARTS:
        return None
    parts, begin = [], 0
    for end in (*turns.tolist(), len(lo)):
        if end > begin:
            parts.append((slice(begin, end), _evenly(lo, begin, end), _evenly(hi, begin, end)))
            begin = end
    return parts


def _evenly(rows: Rows, begin: int, end: int) -> slice:
    """The slice that picks rows[begin:end], which are evenly spaced; one row where they are all the same."""
    first, last = int(rows[begin]), int(rows[end - 1])
    return slice(first, last + 1, max((last - first) // max(end - begin - 1, 1), 1))


def places(mask: Mask) -> tuple[Rows, Rows]:
    """As `mask.nonzero()` of bool[S, K], several times as fast."""
    cells = np.flatnonzero(mask)
    rows = cells // max(mask.shape[1], 1)
    return rows, cells - rows * mask.shape[1]


def take_times(times: Times, rows: Rows) -> Times:
    """int64[K] or int64[S, K]: times, int64[T] or int64[S, T], at rows of the result's shape."""
    if times.ndim == 2:
        return take(times, rows)
    only: Times = take(times[np.newaxis, :], rows)[0]
    return only


def _as_slice(rows: Rows, length: int) -> slice | None:
    """The slice that picks these rows, where they are evenly spaced and inside."""
    if len(rows) == 0 or rows[0] < 0 or rows[-1] >= length:
        return None
    if len(rows) == 1:
        return slice(int(rows[0]), int(rows[0]) + 1)
    first, last = int(rows[0]), int(rows[-1])
    step = int(rows[1]) - first
    if step < 1 or first + step * (len(rows) - 1) != last or not (rows[1:] - rows[:-1] == step).all():
        return None
    return slice(first, last + 1, step)
