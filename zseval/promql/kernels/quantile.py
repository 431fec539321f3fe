"""Quantiles of windows and of groups, and the median absolute deviation of windows.

Cells are laid out with one window (or one group at one step) along the last axis, sorted there, and two
of them are interpolated. Windows with the same number of samples, and groups of the same size, go
together. Source: promql/quantile.go (quantile): NaN sorts first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from zseval.model.arrays import Mask, Rows, Values
from zseval.promql.kernels.groups import Groups
from zseval.promql.kernels.sliding import order_statistics, shared_windows
from zseval.promql.kernels.windows import Windows

__all__ = ["CELLS", "Sharing", "mad_over_time", "of_sorted", "place_of", "quantile", "quantile_over_time"]

CELLS = 1 << 17
"""Cells sorted at a time: 1 MB."""


def quantile_over_time(w: Windows, wanted: Values) -> tuple[Values, Mask | None]:
    """The quantile `wanted` (float64[K]) of each window, [S, K]; absent in empty windows."""
    result = np.zeros(w.shape)
    done = _shared(w, wanted, result)
    for place, steps, cells in _windows(w, done):
        cells.sort(axis=-1)
        result[place] = of_sorted(cells, cells.shape[-1], wanted[steps])
    return result, w.holding(1)


_NONE_DONE = slice(0, 0)


@dataclass(frozen=True, slots=True)
class Sharing:
    """Steps whose windows can share sorts, as `order_statistics` takes them.

    steps: which.  start, count, windows, size, distance: as there.
    """

    steps: slice
    start: int
    count: int
    windows: int
    size: int
    distance: int

    @classmethod
    def of(cls, lo: Rows, counts: Rows, wanted: Values) -> Sharing | None:
        """lo, counts: intp[K], of dense windows.  wanted: float64[K].  None where none can."""
        if not len(wanted) or not (0 <= wanted[0] <= 1) or (wanted != wanted[0]).any():
            return None
        count = int(counts.max())
        full = np.flatnonzero(counts == count)
        if count < 1 or int(full[-1]) - int(full[0]) + 1 != len(full):
            return None
        size, distance = shared_windows(lo[full], count)
        windows = len(full) // size * size
        first = int(full[0])
        steps = slice(first, first + windows)
        return None if size == 1 else cls(steps, int(lo[first]), count, windows, size, distance)

    def parts(self, series: int) -> Iterator[slice]:
        """Series some at a time, so that what is in between stays in the cache."""
        chunk = max(1, CELLS // self.windows)
        for first in range(0, series, chunk):
            yield slice(first, first + chunk)

    def places(self, values: Values, wanted: Sequence[int]) -> list[Values]:
        """The k-th smallest samples of each window, k from 0: float64[S, windows] each."""
        return order_statistics(
            values, self.start, self.count, self.windows, self.size, self.distance, wanted
        )


def place_of(wanted: float, count: int) -> tuple[int, int, float]:
    """Between which places of so many sorted samples a quantile (0 to 1) is, and the weight of the later."""
    rank = wanted * (count - 1)
    low = int(rank)
    return low, min(low + 1, count - 1), rank - low


def _shared(w: Windows, wanted: Values, result: Values) -> slice:
    """The quantiles of the windows that can share sorts; returns which steps that are."""
    sharing = Sharing.of(w.lo, w.counts, wanted) if w.is_dense else None
    if sharing is None or np.isnan(w.values).any():
        return _NONE_DONE
    low, high, weight = place_of(float(wanted[0]), sharing.count)
    for part in sharing.parts(len(w.values)):
        lower, upper = sharing.places(w.values[part], [low, high])
        with np.errstate(invalid="ignore", over="ignore"):
            result[part, sharing.steps] = lower * (1 - weight) + upper * weight
    return sharing.steps


def mad_over_time(w: Windows) -> tuple[Values, Mask | None]:
    """The median distance from the median of each window, [S, K]; NaN where it holds a NaN."""
    result = np.zeros(w.shape)
    half = np.array(0.5)
    for place, _, cells in _windows(w, _NONE_DONE):
        odd = np.isnan(cells).any(axis=-1)
        cells.sort(axis=-1)
        with np.errstate(invalid="ignore", over="ignore"):
            cells -= of_sorted(cells, cells.shape[-1], half)[..., np.newaxis]
        np.abs(cells, out=cells)
        cells.sort(axis=-1)
        result[place] = np.where(odd, np.nan, of_sorted(cells, cells.shape[-1], half))
    return result, w.holding(1)


_Place: TypeAlias = tuple[slice | Rows, Rows]
"""Where in [S, K]: rows and steps, to index with."""


def _windows(w: Windows, done: slice) -> Iterator[tuple[_Place, Rows, Values]]:
    """The samples of windows of one length: where they go, their steps, and cells float64[…, n], fresh.

    done: steps of dense windows that are left out.
    """
    left = np.ones(len(w.ends), dtype=np.bool_)
    left[done] = False
    for count in np.unique(w.counts).tolist():
        if count > 0:
            yield from _dense_windows(w, count, left) if w.is_dense else _ragged_windows(w, count)


def _dense_windows(w: Windows, count: int, left: Mask) -> Iterator[tuple[_Place, Rows, Values]]:
    steps = np.flatnonzero(left & (w.counts == count))
    if not len(steps):
        return
    all_rows = sliding_window_view(w.values, count, axis=1)  # [S, T - n + 1, n]
    lo = w.lo[steps]
    size = max(1, CELLS // (len(steps) * count))
    for first in range(0, w.values.shape[0], size):
        part = slice(first, first + size)
        yield (part, steps), steps, all_rows[part][:, lo]


def _ragged_windows(w: Windows, count: int) -> Iterator[tuple[_Place, Rows, Values]]:
    series, steps = np.nonzero(w.counts == count)
    starts = w.lo[series, steps] + series * w.values.shape[1]
    flat, size = w.values.ravel(), max(1, CELLS // count)
    for first in range(0, len(series), size):
        part = slice(first, first + size)
        cells = flat[starts[part, np.newaxis] + np.arange(count, dtype=np.intp)]
        yield (series[part], steps[part]), steps[part], cells


def quantile(
    wanted: Values, values: Values, present: Mask | None, groups: Rows, count: int
) -> tuple[Values, Mask | None]:
    """The quantile `wanted` (float64[K]) of each group at each step.

    values: float64[S, K].  present: bool[S, K], None for all.  groups: intp[S], each below count.
    Returns float64[G, K] and bool[G, K] (None for all); G = count.
    """
    result = np.zeros((count, values.shape[1]))
    held = np.zeros(result.shape, dtype=np.bool_)
    for numbers, steps, cells, counts in _members(values, present, Groups.of(groups, count)):
        cells.sort(axis=-1)
        place = (numbers[:, np.newaxis], steps)
        result[place] = of_sorted(cells, counts, wanted[steps])
        held[place] = counts > 0
    return result, None if held.all() else held


def _members(
    values: Values, present: Mask | None, groups: Groups
) -> Iterator[tuple[Rows, Rows, Values, Rows]]:
    """Groups of one size: numbers, steps, cells float64[M, k, size] with NaN where absent, and counts."""
    steps = np.arange(values.shape[1], dtype=np.intp)
    for size in np.unique(groups.sizes).tolist():
        chosen = np.flatnonzero(groups.sizes == size)
        some = max(1, CELLS // (size * max(len(steps), 1)))
        width = max(1, CELLS // size)
        for first in range(0, len(chosen), some):
            batch = chosen[first : first + some]
            rows = groups.starts[batch, np.newaxis] + np.arange(size, dtype=np.intp)
            rows = rows if groups.order is None else groups.order[rows]
            for step in range(0, len(steps), width):
                part = steps[step : step + width]
                yield groups.numbers[batch], part, *_cells(values, present, rows, part)


def _cells(values: Values, present: Mask | None, rows: Rows, steps: Rows) -> tuple[Values, Rows]:
    """Cells [M, k, size] of rows [M, size] at some steps, and how many of each are present, [M, k]."""
    columns = slice(int(steps[0]), int(steps[-1]) + 1)
    cells = values[rows, columns].transpose(0, 2, 1).copy()
    if present is None:
        return cells, np.full(cells.shape[:2], rows.shape[1], dtype=np.intp)
    held = present[rows, columns].transpose(0, 2, 1)
    cells[~held] = np.nan
    return cells, np.count_nonzero(held, axis=-1)


def of_sorted(cells: Values, counts: Rows | NDArray[np.int32] | int, wanted: Values) -> Values:
    """The quantile of the first `counts` cells, or of all samples if NaN among them sort last.

    cells: float64[…, n], sorted by numpy: numbers, then NaN (samples and absent ones alike).
    counts: samples, [...] or one for all.  wanted: broadcast to [...].
    """
    size = cells.shape[-1]
    numbers: Rows | int = size
    if np.isnan(cells[..., -1]).any():  # sorted: where the last is none, none is
        numbers = size - np.count_nonzero(np.isnan(cells), axis=-1)
    last = np.maximum(np.subtract(counts, 1), 0)
    q = np.clip(np.nan_to_num(wanted, nan=0.0), 0.0, 1.0)
    rank = q * last
    floor = np.floor(rank)
    low = np.broadcast_to(floor.astype(np.intp), cells.shape[:-1])
    high = np.minimum(low + 1, last)
    weight = rank - floor
    nans = np.subtract(counts, numbers)  # samples that are NaN; upstream sorts them first
    with np.errstate(invalid="ignore", over="ignore"):
        found = _at(cells, low - nans) * (1 - weight) + _at(cells, high - nans) * weight
    found[np.broadcast_to(np.isnan(wanted), found.shape)] = np.nan
    found[np.broadcast_to(wanted < 0, found.shape)] = -np.inf
    found[np.broadcast_to(wanted > 1, found.shape)] = np.inf
    return found


def _at(cells: Values, place: Rows) -> Values:
    """The cell at each place along the last axis; NaN before the first."""
    found = np.take_along_axis(cells, np.maximum(place, 0)[..., np.newaxis], axis=-1)[..., 0]
    before = place < 0
    if before.any():
        found[before] = np.nan
    return found
