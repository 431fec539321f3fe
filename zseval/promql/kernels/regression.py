"""deriv and predict_linear: least squares through the samples of each window.

Lines come from running sums (`lines`); only series with NaN, infinities or huge values are fitted window by
window. Upstream sums uncentred and with compensation; where its result has digits, they agree.
Source: promql/functions.go (linearRegression).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from zseval.model.arrays import Mask, Rows, Times, Values
from zseval.promql.kernels.lines import LARGEST, Samples, fit
from zseval.promql.kernels.over_time import avg_over_time
from zseval.promql.kernels.sums import counted
from zseval.promql.kernels.windows import NO_TIME, Windows

__all__ = ["deriv", "fit_singly", "fitted", "least_rests", "level", "predict_linear"]

_CELLS = 1 << 17
"""Cells gathered at a time: 1 MB."""


def deriv(w: Windows) -> tuple[Values, Mask | None]:
    """The slope per second of each window, [S, K]; exactly 0 where all values are equal.

    Absent below two samples.
    """
    slopes = _fitted(w, None)
    _level(slopes, w, None)
    return slopes, w.holding(2)


def predict_linear(w: Windows, ahead: Values) -> tuple[Values, Mask | None]:
    """Where the line through each window is `ahead` (float64[K]) seconds after the window's end, [S, K].

    Upstream counts from the evaluation time: with an offset or `@`, add how much later that is than the end.
    """
    there = _fitted(w, ahead)
    _level(there, w, ahead)
    return there, w.holding(2)


def _fitted(w: Windows, ahead: Values | None) -> Values:
    """`lines.fit`, of any values."""
    live = None if w.is_dense else w.times != NO_TIME
    times = w.times if w.phases is None else w.phases.times
    of = None if w.phases is None else w.phases.of
    found, odd = fitted(w.values, live, np.atleast_2d(times), of, w.lo, w.hi, w.ends, ahead)
    if len(odd):
        fit_singly(found, _by_source(w, odd), ahead)
    return found


def _by_source(w: Windows, series: Rows) -> Iterator[tuple[Rows, Windows]]:
    """The windows of some series, those of each source by themselves and at its times."""
    if w.phases is None:
        yield series, w.pick(series)
        return
    of = w.phases.of[series]
    for source in np.unique(of).tolist():
        some = series[of == source]
        yield some, Windows(w.values[some], w.phases.times[source], w.lo, w.hi, w.starts, w.ends)


def fitted(
    values: Values,
    live: Mask | None,
    times: Times,
    of: Rows | None,
    lo: Rows,
    hi: Rows,
    ends: Times,
    ahead: Values | None,
) -> tuple[Values, Rows]:
    """`lines.fit`, and which series it says nothing of: those not finite, or too large.

    values: float64[S, T].  live: bool[S, T], where there is a sample; None for everywhere.
    times, of, lo, hi, ends, ahead: as `lines.fit` takes them.  Returns float64[S, K] and intp[N].
    """
    with np.errstate(invalid="ignore", over="ignore"):
        if live is None or not values.size:
            base = values[:, :1].copy() if values.size else np.zeros((len(values), 1))
            apart = values - base
        else:
            base = np.take_along_axis(values, live.argmax(axis=1)[:, np.newaxis], axis=1)
            apart = np.where(live, values - base, 0.0)
        lowest = apart.min(axis=1, initial=0.0, keepdims=True)
        peaks = np.maximum(apart.max(axis=1, initial=0.0, keepdims=True), -lowest)
    odd = np.flatnonzero(~(peaks[:, 0] <= LARGEST))
    if live is not None:
        base[~live.any(axis=1)] = 0.0
    if len(odd):
        apart[odd] = base[odd] = peaks[odd] = 0.0
    # What ragged windows hold is live.
    samples = Samples(apart, base, peaks, None if lo.ndim == 2 else live, times, of)
    return fit(samples, lo, hi, ends, ahead), odd


def fit_singly(found: Values, windows: Iterable[tuple[Rows, Windows]], ahead: Values | None) -> None:
    """Series that are not finite or too large, window by window. found: float64[S, K], written to."""
    for series, w in windows:
        slope, middle = np.zeros(w.shape), np.zeros(w.shape)
        with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
            for place, times, values in _samples(w):
                values[~np.isfinite(values)] = np.nan
                off = (times - times[:, :1]) / 1000.0
                mean = off.mean(axis=1, keepdims=True)
                off -= mean
                values -= values[:, :1].copy()
                slope[place] = np.einsum("pn,pn->p", off, values) / np.einsum("pn,pn->p", off, off)
                middle[place] = mean[:, 0] + (times[:, 0] - w.ends[place[1]]) / 1000.0
            there = slope if ahead is None else slope * (ahead - middle) + avg_over_time(w)[0]
        found[series] = there


def _samples(w: Windows) -> Iterator[tuple[tuple[Rows, Rows], Times, Values]]:
    """Series and steps of windows of one length, and their times and values, [P, n], fresh."""
    series, steps = np.nonzero(np.broadcast_to(w.counts >= 2, w.shape))
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


def _level(result: Values, w: Windows, ahead: Values | None) -> None:
    """`level` for the series that rest often enough to fill a window."""
    if w.values.shape[1]:
        rests = np.count_nonzero(w.values[:, 1:] == w.values[:, :-1], axis=1)
        calm = np.flatnonzero(rests >= least_rests(w.counts))
        if len(calm):
            level(result, calm, w.pick(calm), ahead)


def least_rests(counts: Rows | NDArray[np.int32]) -> int:
    """How often a series must stay the same to fill one of these windows."""
    return max(int(counts.min(initial=np.iinfo(np.int32).max, where=counts >= 2)) - 1, 1)


def level(result: Values, series: Rows, w: Windows, ahead: Values | None) -> None:
    """Of windows whose values are all equal, the slope, 0, or where ahead is given that value; NaN for an
    infinite one. result: float64[S, K], written to.  w: of these series.
    """
    changed = np.zeros(w.values.shape, dtype=np.bool_)
    changed[:, 1:] = w.values[:, 1:] != w.values[:, :-1]
    flat = counted(changed, w.after_first()) == 0
    if not flat.any():
        return
    first, some = w.first(), result[series]
    with np.errstate(invalid="ignore"):
        value = np.zeros(w.shape) if ahead is None else 0.0 * ahead + first
    np.copyto(some, np.where(np.isinf(first), np.nan, value), where=flat)
    result[series] = some
