"""deriv and predict_linear: least squares through the samples of each window.

slope = sum of (x - mean x) y over sum of (x - mean x)^2, which needs no cancelling sums. Series that
share their times share the factors (x - mean x): some steps at a time, they are a band of a matrix, and
the sums a matrix product. Where some samples are missing, further products say what that changes.
Upstream sums uncentred and with compensation; where its result has digits, they agree.
Source: promql/functions.go (linearRegression).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from zseval.model.arrays import Mask, Rows, Times, Values
from zseval.promql.kernels.over_time import avg_over_time
from zseval.promql.kernels.sums import counted
from zseval.promql.kernels.windows import NO_TIME, Grid, Windows

__all__ = ["deriv", "predict_linear"]

_BAND_STEPS = 32
"""Steps in one matrix product: the band wastes little more than as many rows."""

_PRODUCT = 1 << 18
"""Multiplications in one product. OpenBLAS wakes its threads above this; on a busy machine waiting for them
cost fifty times the product."""

_HELD = 0.25
"""Windows with less than this share of the samples are fitted one by one: their mean time may be so far from
that of the whole window that correcting for it costs digits."""

_CELLS = 1 << 17
"""Cells gathered at a time: 1 MB."""


def deriv(w: Windows) -> tuple[Values, Mask | None]:
    """The slope per second of each window, [S, K]; exactly 0 where all values are equal.

    Absent below two samples.
    """
    slope = _slope(w)
    flat = _flat(w)
    if flat is not None:
        slope[flat] = np.where(np.isinf(w.first()[flat]), np.nan, 0.0)
    return slope, w.holding(2)


def predict_linear(w: Windows, ahead: Values) -> tuple[Values, Mask | None]:
    """Where the line through each window is `ahead` (float64[K]) seconds after the window's end, [S, K].

    Upstream counts from the evaluation time: with an offset or `@`, add how much later that is than the end.
    """
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        if w.is_dense and w.values.shape[1] and np.isfinite(w.values).all():
            slope, mean = _dense(w, mean=True)
            mean += w.values[:, :1]
        else:
            slope, base = _slope(w), _first_finite(w.values)
            mean = avg_over_time(w.with_values(w.values - base))[0] + base
        middle = _middle(w)
        if w.phases is not None:
            middle = w.spread(middle + w.phases.shifts / 1000.0)
        there: Values = mean + slope * (ahead - middle)
        flat = _flat(w)
        if flat is not None:
            first = w.first()[flat]
            level = np.broadcast_to(0.0 * ahead, flat.shape)[flat] + first
            there[flat] = np.where(np.isinf(first), np.nan, level)
    return there, w.holding(2)


def _first_finite(values: Values) -> Values:
    """float64[S, 1]: a value of each series to count from; 0 where none is finite."""
    if values.shape[1] == 0:
        return np.zeros((len(values), 1))
    finite = np.isfinite(values)
    first = np.take_along_axis(values, finite.argmax(axis=1)[:, np.newaxis], axis=1)
    return np.where(np.isfinite(first), first, 0.0)


def _slope(w: Windows) -> Values:
    """[S, K]: of no meaning below two samples, and rounding only where all are equal."""
    slope = np.zeros(w.shape)
    if w.values.shape[1] == 0:
        return slope
    if w.grid is not None:
        return _with_gaps(w, w.grid)
    straight = np.isfinite(w.values).all(axis=1) if w.is_dense else np.zeros(len(w.values), dtype=np.bool_)
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        if straight.all():
            return _dense(w)[0]
        for rows, fit in ((np.flatnonzero(straight), _straight), (np.flatnonzero(~straight), _gathered)):
            if len(rows):
                slope[rows] = fit(w.pick(rows))
    return slope


def _middle(w: Windows) -> Values:
    """The mean time of each window, in seconds after its end (so at most 0): float64[K] or float64[S, K]."""
    if w.values.shape[1] == 0:
        return np.zeros(w.lo.shape)
    base = w.times[..., :1]
    since = np.where(w.times == NO_TIME, 0, w.times - base)
    running = np.zeros((*since.shape[:-1], since.shape[-1] + 1), dtype=np.int64)
    np.cumsum(since, axis=-1, out=running[..., 1:])
    total = np.take_along_axis(running, w.hi, axis=-1) - np.take_along_axis(running, w.lo, axis=-1)
    middle: Values = (total / np.maximum(w.counts, 1) + (base - w.ends)) / 1000.0
    return middle


def _with_gaps(w: Windows, grid: Grid) -> Values:
    """Slopes where the series share their times but for gaps, [S, K].

    Times x count from the mean time of the window without gaps. With n samples, and the sums C of x, D of
    its squares, A of x y and B of y, the slope is (A - C B / n) / (D - C C / n); C is due to what is missing.
    """
    apart = np.where(grid.present, grid.values - _first_finite(w.values), 0.0)
    straight: Mask = np.logical_and.reduce(np.isfinite(apart), axis=1)
    apart[~straight] = 0.0
    present = grid.present.astype(np.float64)
    slope = np.zeros(w.shape)
    whole = Windows(grid.values[:0], grid.times, grid.lo, grid.hi, w.starts, w.ends)
    for part, band, off, inside in _bands(whole):
        counts = np.maximum(w.counts[:, part], 1)
        lever = _product(present[:, band], off)
        square = _product(present[:, band], off * off)
        total = _product(apart[:, band], inside.astype(np.float64))
        slope[:, part] = _product(apart[:, band], off) - lever * total / counts
        slope[:, part] /= square - lever * lever / counts
    single = w.counts < _HELD * (grid.hi - grid.lo)
    single |= ~straight[:, np.newaxis]
    _fit_singly(slope, w, single)
    return slope


def _bands(w: Windows) -> Iterator[tuple[slice, slice, Values, Mask]]:
    """Some steps at a time, of windows over shared times: which; the rows they look at, R of them; their
    times in seconds after each window's mean time, 0 outside of it, float64[R, k]; and which are inside.
    """
    middle = _middle(w)
    for first in range(0, len(w.ends), _BAND_STEPS):
        part = slice(first, min(first + _BAND_STEPS, len(w.ends)))
        lo, hi = w.lo[part], w.hi[part]
        band = slice(int(lo.min()), max(int(hi.max()), int(lo.min())))
        rows = np.arange(band.start, band.stop, dtype=np.intp)[:, np.newaxis]
        inside = (rows >= lo) & (rows < hi)
        off = np.where(inside, (w.times[rows] - w.ends[part]) / 1000.0 - middle[part], 0.0)
        yield part, band, off, inside


def _product(left: Values, right: Values, out: Values | None = None) -> Values:
    """float64[S, k]: the matrix product, a part of the S rows at a time."""
    result = np.empty((len(left), right.shape[1])) if out is None else out
    size = max(1, _PRODUCT // max(right.size, 1))
    for row in range(0, len(left), size):
        some = slice(row, row + size)
        np.matmul(left[some], right, out=result[some])
    return result


def _straight(w: Windows) -> Values:
    return _dense(w)[0]


def _dense(w: Windows, *, mean: bool = False) -> tuple[Values, Values]:
    """Slopes of series that share their times and have finite values, [S, K].

    mean: also the means of the windows, less each series' first value; else an array without rows.
    """
    apart = w.values - w.values[:, :1]
    slope = np.zeros(w.shape)
    means = np.zeros(w.shape if mean else (0, 0))
    for part, band, off, inside in _bands(w):
        _product(apart[:, band], off, slope[:, part])
        if mean:
            _product(apart[:, band], inside / np.maximum(w.hi[part] - w.lo[part], 1), means[:, part])
        slope[:, part] /= np.square(off).sum(axis=0)
    return slope, means


def _gathered(w: Windows) -> Values:
    """Slopes window by window; NaN where a value is NaN or infinite."""
    slope = np.zeros(w.shape)
    _fit_singly(slope, w, np.ones(w.shape, dtype=np.bool_))
    return slope


def _fit_singly(slope: Values, w: Windows, chosen: Mask) -> None:
    """Slopes of the windows chosen, bool[S, K], those of one length together. slope: [S, K], written to."""
    for place, times, values in _samples(w, chosen):
        values[~np.isfinite(values)] = np.nan
        off = (times - times[:, :1]) / 1000.0
        off -= off.mean(axis=1, keepdims=True)
        values -= values[:, :1].copy()
        slope[place] = np.einsum("pn,pn->p", off, values) / np.einsum("pn,pn->p", off, off)


def _samples(w: Windows, chosen: Mask) -> Iterator[tuple[tuple[Rows, Rows], Times, Values]]:
    """Series and steps of windows chosen of one length, and their times and values, [P, n], fresh."""
    series, steps = np.nonzero(chosen & (w.counts >= 2))
    counts = np.broadcast_to(w.counts, w.shape)[series, steps]
    order = np.argsort(counts, kind="stable")
    series, steps, counts = series[order], steps[order], counts[order]
    lows = np.broadcast_to(w.lo, w.shape)[series, steps]
    length = w.values.shape[1]
    values, times = w.values.ravel(), w.times.ravel()
    cuts = [0, *(np.flatnonzero(np.diff(counts)) + 1).tolist(), len(counts)]
    for begin, end in itertools.pairwise(cuts):
        if begin == end:
            return
        count = int(counts[begin])
        size = max(1, _CELLS // count)
        for first in range(begin, end, size):
            part = slice(first, min(first + size, end))
            rows = lows[part, np.newaxis] + np.arange(count, dtype=np.intp)
            flat = rows + series[part, np.newaxis] * length
            yield (
                (series[part], steps[part]),
                times.take(rows if w.times.ndim == 1 else flat),
                values.take(flat),
            )


def _flat(w: Windows) -> Mask | None:
    """bool[S, K]: windows whose values are all equal; None where there is none.

    Only series that rest often enough to fill a window are looked at more closely.
    """
    if not w.values.shape[1]:
        return None
    flat = np.zeros(w.shape, dtype=np.bool_)
    moves = np.not_equal(w.values[:, 1:], w.values[:, :-1])
    least = max(int(w.counts.min(initial=0)) - 1, 0)
    calm = np.flatnonzero(moves.shape[1] - np.count_nonzero(moves, axis=1) >= least)
    if not len(calm):
        return None
    some = w.pick(calm)
    changed = np.zeros(some.values.shape, dtype=np.bool_)
    changed[:, 1:] = moves[calm]
    flat[calm] = counted(changed, some.after_first()) == 0
    return flat if flat.any() else None
