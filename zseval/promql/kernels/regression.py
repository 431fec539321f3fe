"""deriv and predict_linear: least squares through the samples of each window.

slope = sum of (x - mean x) y over sum of (x - mean x)^2, which needs no cancelling sums. Series that
share their times share the factors (x - mean x): some steps at a time, they are a band of a matrix, and
the sums a matrix product. Upstream sums uncentred and with compensation; where its result has digits,
they agree. Source: promql/functions.go (linearRegression).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from zseval.model.arrays import Mask, Rows, Times, Values
from zseval.promql.kernels.sums import counted, window_sums
from zseval.promql.kernels.windows import NO_TIME, Windows

__all__ = ["deriv", "predict_linear"]

_BAND_STEPS = 32
"""Steps in one matrix product: the band wastes little more than as many rows."""

_CELLS = 1 << 17
"""Cells gathered at a time: 1 MB."""


def deriv(w: Windows) -> tuple[Values, Mask | None]:
    """The slope per second of each window, [S, K]; exactly 0 where all values are equal.

    Absent below two samples.
    """
    return _fit(w).slope, w.holding(2)


def predict_linear(w: Windows, ahead: Values) -> tuple[Values, Mask | None]:
    """Where the line through each window is `ahead` (float64[K]) seconds after the window's end, [S, K].

    Upstream counts from the evaluation time: with an offset or `@`, add how much later that is than the end.
    """
    line = _fit(w)
    with np.errstate(invalid="ignore", over="ignore"):
        return line.slope * ahead + line.at_end, w.holding(2)


@dataclass(frozen=True, slots=True, eq=False)
class _Line:
    """slope: per second.  at_end: the value at the window's end. Both float64[S, K]."""

    slope: Values
    at_end: Values


def _fit(w: Windows) -> _Line:
    slope, mean = np.zeros(w.shape), np.zeros(w.shape)
    if w.values.shape[1] == 0:
        return _Line(slope, mean)
    straight = np.isfinite(w.values).all(axis=1) if w.is_dense else np.zeros(len(w.values), dtype=np.bool_)
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        if straight.all():
            slope, mean = _dense(w)
        else:
            for rows, fit in ((np.flatnonzero(straight), _dense), (np.flatnonzero(~straight), _gathered)):
                if len(rows):
                    slope[rows], mean[rows] = fit(w.pick(rows))
        at_end = mean - slope * _middle(w)
    _flatten(w, slope, at_end)
    return _Line(slope, at_end)


def _middle(w: Windows) -> Values:
    """The mean time of each window, in seconds after its end (so at most 0): float64[K] or float64[S, K]."""
    base = w.times[..., :1]
    since = np.where(w.times == NO_TIME, 0, w.times - base)
    running = np.zeros((*since.shape[:-1], since.shape[-1] + 1), dtype=np.int64)
    np.cumsum(since, axis=-1, out=running[..., 1:])
    total = np.take_along_axis(running, w.hi, axis=-1) - np.take_along_axis(running, w.lo, axis=-1)
    middle: Values = (total / np.maximum(w.counts, 1) + (base - w.ends)) / 1000.0
    return middle


def _dense(w: Windows) -> tuple[Values, Values]:
    """Slope and mean of series that share their times and have finite values."""
    base = w.values[:, :1]
    apart = w.values - base
    slope = np.zeros(w.shape)
    middle = _middle(w)
    for first in range(0, len(w.ends), _BAND_STEPS):
        part = slice(first, min(first + _BAND_STEPS, len(w.ends)))
        lo, hi = w.lo[part], w.hi[part]
        rows = np.arange(lo.min(), max(hi.max(), lo.min()), dtype=np.intp)[:, np.newaxis]
        off = (w.times[rows] - w.ends[part]) / 1000.0 - middle[part]  # [R, k]
        off[(rows < lo) | (rows >= hi)] = 0.0
        slope[:, part] = (apart[:, rows[:, 0]] @ off) / np.square(off).sum(axis=0)
    sums = window_sums(w.with_values(apart))
    return slope, sums.total / np.maximum(w.counts, 1) + base


def _gathered(w: Windows) -> tuple[Values, Values]:
    """Slope and mean window by window, those of one length together; NaN where a value is not finite.

    Upstream's sums become infinite there, and their difference NaN.
    """
    slope, mean = np.zeros(w.shape), np.zeros(w.shape)
    for place, times, values in _samples(w):
        base = values[:, :1]
        apart = values - base
        off = (times - times[:, :1]) / 1000.0
        off -= off.mean(axis=1, keepdims=True)
        fitted = np.einsum("pn,pn->p", off, apart) / np.einsum("pn,pn->p", off, off)
        finite = np.isfinite(values).all(axis=1)
        slope[place] = np.where(finite, fitted, np.nan)
        mean[place] = np.where(finite, apart.mean(axis=1) + base[:, 0], np.nan)
    return slope, mean


def _samples(w: Windows) -> Iterator[tuple[tuple[Rows, Rows], Times, Values]]:
    """Series and steps of windows of one length, and their times and values, [P, n]."""
    counts = np.broadcast_to(w.counts, w.shape)
    times = np.broadcast_to(w.times, w.values.shape)
    for count in np.unique(counts).tolist():
        if count < 2:
            continue
        series, steps = np.nonzero(counts == count)
        lo = np.broadcast_to(w.lo, w.shape)[series, steps]
        size = max(1, _CELLS // count)
        for first in range(0, len(series), size):
            part = slice(first, first + size)
            rows = lo[part, np.newaxis] + np.arange(count, dtype=np.intp)
            owner = series[part, np.newaxis]
            yield (series[part], steps[part]), times[owner, rows], w.values[owner, rows]


def _flatten(w: Windows, slope: Values, at_end: Values) -> None:
    """Where all values of a window are equal, the line is that value; NaN for an infinite one. Writes."""
    changed = np.zeros(w.values.shape, dtype=np.bool_)
    np.not_equal(w.values[:, 1:], w.values[:, :-1], out=changed[:, 1:])
    inner = Windows(w.values, w.times, np.minimum(w.lo + 1, w.hi), w.hi, w.starts, w.ends)
    flat = counted(changed, inner) == 0
    if flat.any():
        first = w.first()
        infinite = np.isinf(first)
        slope[flat] = np.where(infinite, np.nan, 0.0)[flat]
        at_end[flat] = np.where(infinite, np.nan, first)[flat]
