"""The smallest and largest value of each window, and when it was.

The best of 2, 4, 8, … rows comes from the best of half as many; any window is then covered by two such
runs that may overlap. So the cost is log2(rows a window) passes over [S, T], whatever the windows are.
Source: promql/functions.go (compareOverTime): NaN gives way to any number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np

from zseval.model.arrays import Mask, Rows, Values
from zseval.promql.kernels.parts import in_parts
from zseval.promql.kernels.windows import Windows, take

__all__ = ["max_over_time", "min_over_time", "ts_of_max_over_time", "ts_of_min_over_time"]

_Better: TypeAlias = Callable[[Values, Values], Values]


@in_parts
def max_over_time(w: Windows) -> tuple[Values, Mask | None]:
    """The largest value of each window, [S, K]; NaN only where all are. Absent in empty windows."""
    return _best(w, np.maximum, np.fmax)


@in_parts
def min_over_time(w: Windows) -> tuple[Values, Mask | None]:
    """The smallest value of each window, [S, K]; NaN only where all are. Absent in empty windows."""
    return _best(w, np.minimum, np.fmin)


def _best(w: Windows, plain: _Better, past_nan: _Better) -> tuple[Values, Mask | None]:
    better = past_nan if np.isnan(w.values).any() else plain
    result = np.zeros(w.shape)
    best, size = w.values, 1
    for wanted, cells in _levels(w):
        while size < wanted:
            best = better(best[:, :-size], best[:, size:])
            size *= 2
        lo, hi = _edges(w, cells, size)
        _put(result, cells, better(take(best, lo), take(best, hi)))
    _sign_zeros(result, w)
    return result, w.holding(1)


def _sign_zeros(result: Values, w: Windows) -> None:
    """Of zeros that differ in sign, the first in the window counts. result: written to."""
    series = np.flatnonzero((result == 0).any(axis=1))
    if len(series) == 0 or not np.signbit(w.values[series]).any():
        return
    some, found = w.pick(series), result[series]
    rows = np.where(
        some.values == 0, np.arange(some.values.shape[1], dtype=np.intp), some.values.shape[1] - 1
    )
    first = np.minimum.accumulate(rows[:, ::-1], axis=1)[:, ::-1]  # [S, T] the first zero from here on
    zeros = np.take_along_axis(some.values, take(first, some.lo), axis=1)
    np.copyto(found, zeros, where=(found == 0) & (some.counts > 0))
    result[series] = found


_Cells: TypeAlias = Mask | slice
"""Whose windows: bool[K] (dense), bool[S, K] (ragged), or all of them."""


def _levels(w: Windows) -> Iterator[tuple[int, _Cells]]:
    """Each power of two for which windows have as many samples but not twice as many, increasing."""
    counts = w.counts
    sizes = np.where(counts > 0, 2 ** np.frexp(np.maximum(counts, 1))[1] // 2, 0)
    found = np.unique(sizes)
    for size in found.tolist():
        if size > 0:
            yield size, slice(None) if len(found) == 1 else sizes == size


def _edges(w: Windows, cells: _Cells, size: int) -> tuple[Rows, Rows]:
    """Where the two runs of `size` rows start that cover each window."""
    if w.is_dense:
        return w.lo[cells], w.hi[cells] - size
    return w.lo, w.hi - size


def _put(result: Values, cells: _Cells, found: Values) -> None:
    """Writes what was found for all windows (ragged) or for those of `cells` (dense)."""
    if isinstance(cells, slice) or cells.ndim == 1:
        result[:, cells] = found
    else:
        np.copyto(result, found, where=cells)


def ts_of_max_over_time(w: Windows) -> tuple[Values, Mask | None]:
    """Unix seconds of the last largest value of each window, [S, K]."""
    return _time_of_best(w, np.greater_equal)


def ts_of_min_over_time(w: Windows) -> tuple[Values, Mask | None]:
    """Unix seconds of the last smallest value of each window, [S, K]."""
    return _time_of_best(w, np.less_equal)


def _time_of_best(w: Windows, not_worse: Callable[[Values, Values], Mask]) -> tuple[Values, Mask | None]:
    """Like `_best`, of (value, row) pairs: of equals the later wins, and anything wins over NaN."""

    def later_wins(earlier: tuple[Values, Values], later: tuple[Values, Values]) -> tuple[Values, Values]:
        wins = not_worse(later[0], earlier[0]) | np.isnan(earlier[0])
        return np.where(wins, later[0], earlier[0]), np.where(wins, later[1], earlier[1])

    times = np.broadcast_to(w.times / 1000.0, w.values.shape)
    result = np.zeros(w.shape)
    best, size = (w.values, times), 1
    for wanted, cells in _levels(w):
        while size < wanted:
            values, when = best
            best = later_wins((values[:, :-size], when[:, :-size]), (values[:, size:], when[:, size:]))
            size *= 2
        lo, hi = _edges(w, cells, size)
        values, when = best
        found = later_wins((take(values, lo), take(when, lo)), (take(values, hi), take(when, hi)))
        _put(result, cells, found[1])
    return result, w.holding(1)
