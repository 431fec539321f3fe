"""sum, avg, count, first, last, stddev and the like over windows; min and max are in `extremes`.

Source: promql/functions.go (func…OverTime). Where upstream's loop can only round, sums come from exact
running sums (`sums`); where it can overflow or cancel, that loop is run, on those windows alone.
"""

from __future__ import annotations

import numpy as np

from zseval.model.arrays import Mask, Values
from zseval.promql.kernels.extremes import (
    max_over_time,
    min_over_time,
    ts_of_max_over_time,
    ts_of_min_over_time,
)
from zseval.promql.kernels.parts import in_parts
from zseval.promql.kernels.sums import (
    add_compensated,
    mean_samples,
    sum_samples,
    window_samples,
    window_sums,
)
from zseval.promql.kernels.windows import Windows

__all__ = [
    "avg_over_time",
    "count_over_time",
    "first_over_time",
    "last_over_time",
    "max_over_time",
    "min_over_time",
    "present_over_time",
    "stddev_over_time",
    "stdvar_over_time",
    "sum_over_time",
    "ts_of_first_over_time",
    "ts_of_last_over_time",
    "ts_of_max_over_time",
    "ts_of_min_over_time",
]

_CANCELLED = 256.0
"""Squares this many times their spread leave too few bits for the spread: about 1e-13 of it."""

_FAR_OFF = 2.0**30
"""Beyond this mean² / variance upstream's own loop is off by some 1e-12, and only the loop says how."""


@in_parts
def sum_over_time(w: Windows) -> tuple[Values, Mask | None]:
    """The compensated sum of each window, [S, K]; absent in empty windows."""
    sums = window_sums(w)
    result = sums.rounded()
    series, steps = sums.doubtful()
    for batch, samples in window_samples(w, series, steps):
        total, rest = sum_samples(samples)
        result[series[batch], steps[batch]] = total + rest
    return result, w.holding(1)


@in_parts
def avg_over_time(w: Windows) -> tuple[Values, Mask | None]:
    """The mean of each window, [S, K], by upstream's incremental form where the sum would overflow."""
    sums = window_sums(w)
    counts = np.maximum(w.counts, 1).astype(np.float64)
    result = sums.total / counts
    if sums.rest is not None:
        result += sums.rest / counts
    series, steps = sums.doubtful()
    for batch, samples in window_samples(w, series, steps):
        result[series[batch], steps[batch]] = mean_samples(samples)
    return result, w.holding(1)


def count_over_time(w: Windows) -> tuple[Values, Mask | None]:
    """How many samples each window has, [S, K]; absent in empty windows."""
    return np.broadcast_to(w.counts.astype(np.float64), w.shape), w.holding(1)


def present_over_time(w: Windows) -> tuple[Values, Mask | None]:
    """1 for each window with a sample, [S, K]."""
    return np.ones(w.shape), w.holding(1)


def first_over_time(w: Windows) -> tuple[Values, Mask | None]:
    """The first value of each window, [S, K]."""
    return w.first(), w.holding(1)


def last_over_time(w: Windows) -> tuple[Values, Mask | None]:
    """The last value of each window, [S, K]."""
    return w.last(), w.holding(1)


def ts_of_first_over_time(w: Windows) -> tuple[Values, Mask | None]:
    """Unix seconds of the first sample of each window, [S, K]."""
    return np.broadcast_to(w.time_at(w.lo) / 1000.0, w.shape), w.holding(1)


def ts_of_last_over_time(w: Windows) -> tuple[Values, Mask | None]:
    """Unix seconds of the last sample of each window, [S, K]."""
    return np.broadcast_to(w.time_at(w.hi - 1) / 1000.0, w.shape), w.holding(1)


@in_parts
def stddev_over_time(w: Windows) -> tuple[Values, Mask | None]:
    """The population standard deviation of each window, [S, K]."""
    variance = _variance(w)
    with np.errstate(invalid="ignore"):
        return np.sqrt(variance, out=variance), w.holding(1)


@in_parts
def stdvar_over_time(w: Windows) -> tuple[Values, Mask | None]:
    """The population variance of each window, [S, K]."""
    return _variance(w), w.holding(1)


def _variance(w: Windows) -> Values:
    """From sums of differences to one value of the series and of their squares, where that is sound."""
    reference = _reference(w)
    with np.errstate(over="ignore", invalid="ignore"):
        apart = w.with_values(w.values - reference)
        sums = window_sums(apart)
        squares = window_sums(apart.with_values(apart.values * apart.values))
        counts = np.maximum(w.counts, 1).astype(np.float64)
        total = sums.rounded()
        spread = squares.rounded() - total * total / counts
        mean = total / counts + reference
        doubt = squares.total > _CANCELLED * spread
        doubt |= mean * mean * counts > _FAR_OFF * spread
        doubt |= ~np.isfinite(spread) & np.isfinite(total)
    for unsure in (sums.doubt, squares.doubt):
        if unsure is not None:
            doubt |= unsure
    variance: Values = spread / counts
    variance[np.broadcast_to(w.counts == 1, doubt.shape) & np.isfinite(total)] = 0.0
    series, steps = np.nonzero(doubt & (w.counts > 1))
    for batch, samples in window_samples(w, series, steps):
        variance[series[batch], steps[batch]] = _variance_samples(samples)
    return variance


def _reference(w: Windows) -> Values:
    """float64[S, 1]: a finite value near those of each series."""
    if w.values.shape[1] == 0:
        return np.zeros((w.values.shape[0], 1))
    first = w.values[:, :1]
    return np.where(np.abs(first) < 1e150, first, 0.0)


def _variance_samples(samples: list[Values]) -> Values:
    """Upstream's loop: Welford's, with mean and squares compensated. float64[P]."""
    size = len(samples[0])
    mean, mean_rest, squares, squares_rest = (np.zeros(size) for _ in range(4))
    counts = np.zeros(size)
    with np.errstate(over="ignore", invalid="ignore"):
        for number, value in enumerate(samples, start=1):
            live = slice(len(value))
            counts[live] = number
            off = value - (mean[live] + mean_rest[live])
            mean[live], mean_rest[live] = add_compensated(off / number, mean[live], mean_rest[live])
            product = off * (value - (mean[live] + mean_rest[live]))
            squares[live], squares_rest[live] = add_compensated(product, squares[live], squares_rest[live])
        return (squares + squares_rest) / counts
