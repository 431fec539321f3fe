"""Sums as exact as Prometheus' compensated ones, at nearly the price of plain ones.

Prometheus adds with Neumaier's compensation, one sample after the other. Here each value is split into
a high part of so few bits that any sum of high parts is exact, in any order and by prefix differences,
and a low part, whose own rounding is far below the last bit of the total (Rump, Ogita, Oishi: Accurate
floating-point summation, 2008). What that bound does not cover (nearly everything cancels, or overflow
is near) is marked as doubtful, and the caller runs Prometheus' own loop on those windows alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zseval.model.arrays import Mask, Rows, Values
from zseval.promql.kernels.windows import NO_TIME, Differences, Windows

__all__ = [
    "HUGEST",
    "Sums",
    "add_compensated",
    "between",
    "counted",
    "mean_samples",
    "floors",
    "split",
    "split_points",
    "sum_samples",
    "window_samples",
    "window_sums",
]

HUGEST = 2.0**960
"""Rows with larger finite values may overflow when summed; Prometheus' loop decides what comes out."""

_PAIRS = 1 << 14
"""Windows recomputed together: the state of the loop stays in cache."""


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """total + rest is the sum of each window, rest below half a last bit of total (None: all zero).

    doubt: bool[S, K], where total is not good enough; None where it is everywhere.
    """

    total: Values
    rest: Values | None
    doubt: Mask | None

    def doubtful(self) -> tuple[Rows, Rows]:
        """The series and steps to recompute."""
        if self.doubt is None:
            return np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.intp)
        series, steps = np.nonzero(self.doubt)
        return series, steps

    def rounded(self) -> Values:
        """float64[S, K]: the sum. Not a copy where rest is None."""
        return self.total if self.rest is None else self.total + self.rest


def split_points(peaks: Values, terms: int) -> Values:
    """The sigma of `split` for sums of up to `terms` values no larger than `peaks` (at most 2**960)."""
    spare = max(terms + 2, 2).bit_length()
    return np.where(peaks > 0, np.ldexp(1.0, np.frexp(peaks)[1] + spare), 0.0)


def split(
    values: Values, sigma: Values, out: tuple[Values, Values] | None = None
) -> tuple[Values, Values | None]:
    """values = high + low, so that sums of high parts are exact.

    values: finite float64.  sigma: from `split_points`, broadcastable.  out: where to put high and low.
    low is None where it is zero throughout: integers, and anything with few bits.
    """
    high = np.add(values, sigma, out=None if out is None else out[0])
    high -= sigma
    low = np.subtract(values, high, out=None if out is None else out[1])
    return high, low if low.any() else None


def floors(sigma: Values, terms: int) -> Values:
    """Sums with low parts that come out smaller than this may be off in their last bit.

    |low| <= 2^-53 sigma, so a running sum of low parts is off by at most terms^2 2^-106 sigma. That is a
    thirtieth of the last bit of every sum above the floor.
    """
    return sigma * float(terms) ** 2 * 2.0**-48


def window_sums(w: Windows) -> Sums:
    """The sum of each window, [S, K]; 0 where it is empty. Where doubtful, total is of no meaning."""
    if w.times.ndim == 2:
        w = w.with_values(np.where(w.times == NO_TIME, 0.0, w.values))
    if not w.values.shape[1]:
        return Sums(np.zeros(w.shape), None, None)
    lowest = w.values.min(axis=1, keepdims=True)  # [S, 1], NaN where a row has one
    peaks = np.maximum(w.values.max(axis=1, keepdims=True), -lowest)
    tame = peaks[:, 0] <= HUGEST
    if tame.all():
        return _tame_sums(w, peaks, lowest)
    total, rest = np.zeros(w.shape), np.zeros(w.shape)
    doubt = np.zeros(w.shape, dtype=np.bool_)
    for rows, sums in ((tame, _tame_sums), (~tame, _wild_sums)):
        chosen = np.flatnonzero(rows)
        if len(chosen):
            part = sums(w.pick(chosen), peaks[chosen], lowest[chosen])
            total[chosen] = part.total
            rest[chosen] = 0.0 if part.rest is None else part.rest
            doubt[chosen] = False if part.doubt is None else part.doubt
    return Sums(total, rest, doubt if doubt.any() else None)


def _tame_sums(w: Windows, peaks: Values, lowest: Values) -> Sums:
    """Of series with finite values that cannot overflow. peaks, lowest: float64[S, 1], of their values."""
    terms = w.values.shape[1]
    sigma = split_points(peaks, terms)
    high, low = split(w.values, sigma)
    total = between(high, w)
    if low is None:
        return Sums(total, None, None)
    rest = between(low, w)
    rounded = total + rest
    total -= rounded
    total += rest  # what rounding lost
    floor = floors(sigma, terms)
    if (lowest >= floor).all():
        return Sums(rounded, total, None)  # no sum is less than the least of its values
    doubt = np.abs(rounded) < floor
    if doubt.any():
        doubt &= counted(w.values != 0, w) > 0
    return Sums(rounded, total, doubt if doubt.any() else None)


def _wild_sums(w: Windows, _: Values, __: Values) -> Sums:
    """Of series with NaN, infinities or values near overflow: short of that, NaN and Inf win in any order."""
    nan, up, down = (
        between(found, w) > 0 for found in (np.isnan(w.values), w.values == np.inf, w.values == -np.inf)
    )
    finite = np.where(np.isfinite(w.values), w.values, 0.0)
    peaks = np.abs(finite).max(axis=1, initial=0.0, keepdims=True)
    overflow = peaks > HUGEST
    tamed = w.with_values(np.where(overflow, 0.0, finite))
    sums = _tame_sums(tamed, np.where(overflow, 0.0, peaks), np.zeros((1, 1)))
    special = nan | up | down
    total = np.select([nan | (up & down), up, down], [np.nan, np.inf, -np.inf], sums.total)
    rest = None if sums.rest is None else np.where(special, 0.0, sums.rest)
    doubt = overflow & (w.counts > 0) & ~nan
    if sums.doubt is not None:
        doubt |= sums.doubt & ~special
    return Sums(total, rest, doubt if doubt.any() else None)


def between(array: Values, w: Windows) -> Values:
    """[S, K]: the sums of `array`, float64[S, T], over each window, by difference of running sums."""
    running = np.empty((array.shape[0], array.shape[1] + 1), dtype=np.float64)
    running[:, 0] = 0.0
    np.cumsum(array, axis=1, out=running[:, 1:])
    return Differences(w.lo, w.hi).of(running)


def counted(marks: Mask, w: Windows) -> NDArray[np.int32]:
    """int32[S, K]: how many cells of `marks`, bool[S, T], are set in each window."""
    running = np.zeros((marks.shape[0], marks.shape[1] + 1), dtype=np.int32)
    np.cumsum(marks, axis=1, out=running[:, 1:])
    return Differences(w.lo, w.hi).of(running)


def add_compensated(value: Values, total: Values, rest: Values) -> tuple[Values, Values]:
    """One step of Neumaier's sum: the new total and what it lost so far.

    Knuth's branch-free form of the error, which is the same number. An infinite total forgets its rest.
    Source: util/kahansum (Inc).
    """
    with np.errstate(over="ignore", invalid="ignore"):
        new = total + value
        moved = new - total
        lost = (total - (new - moved)) + (value - moved)
        return new, np.where(np.isinf(new), 0.0, rest + lost)


def window_samples(w: Windows, series: Rows, steps: Rows) -> Iterator[tuple[Rows, list[Values]]]:
    """The samples of some windows, for kernels that go through them one after the other.

    series, steps: intp[P], the windows; none of them empty. Gives batches: which of the P, and for j = 0,
    1, … the j-th samples of those windows that have so many: a prefix of the batch, as the longest windows
    come first.
    """
    counts = np.broadcast_to(w.counts, w.shape)[series, steps]
    lo = np.broadcast_to(w.lo, w.shape)[series, steps]
    order = np.argsort(-counts, kind="stable")
    for first in range(0, len(order), _PAIRS):
        batch = order[first : first + _PAIRS]
        rest = -counts[batch]  # ascending
        live = np.searchsorted(rest, -np.arange(1, int(counts[batch[0]]) + 1), side="right")
        yield batch, [w.values[series[batch[:n]], lo[batch[:n]] + j] for j, n in enumerate(live.tolist())]


def sum_samples(samples: list[Values]) -> tuple[Values, Values]:
    """Prometheus' compensated sum of a batch of `window_samples`: total and rest, float64[P]."""
    total, rest = np.zeros(len(samples[0])), np.zeros(len(samples[0]))
    for value in samples:
        live = slice(len(value))
        total[live], rest[live] = add_compensated(value, total[live], rest[live])
    return total, rest


def mean_samples(samples: list[Values]) -> Values:
    """Prometheus' mean of a batch of `window_samples`, float64[P].

    A compensated sum, divided; from where that sum would be infinite on, a compensated running mean.
    Source: promql/functions.go (funcAvgOverTime).
    """
    size = len(samples[0])
    total, rest, mean = samples[0].copy(), np.zeros(size), np.zeros(size)
    running = np.zeros(size, dtype=np.bool_)
    counts = np.ones(size)
    for number, value in enumerate(samples[1:], start=2):
        live = slice(len(value))
        counts[live] = number
        summed, summed_rest = add_compensated(value, total[live], rest[live])
        turned = np.isinf(summed) & ~running[live]
        with np.errstate(invalid="ignore"):
            mean[live] = np.where(turned, total[live] / (number - 1), mean[live])
            rest[live] = np.where(turned, rest[live] / (number - 1), rest[live])
            running[live] |= turned
            share = (number - 1) / number
            moved, moved_rest = add_compensated(value / number, share * mean[live], share * rest[live])
        now_running = running[live]
        mean[live] = np.where(now_running, moved, mean[live])
        total[live] = np.where(now_running, total[live], summed)
        rest[live] = np.where(now_running, moved_rest, summed_rest)
    with np.errstate(invalid="ignore"):
        return np.where(running, mean + rest, total / counts + rest / counts)
