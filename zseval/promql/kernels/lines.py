"""Least-squares lines through the samples of sliding windows, from running sums.

With times x, counted from about the middle of the window, and values y of n samples, the slope is
(sum of x y - sum of x sum of y / n) / (sum of x x - (sum of x)^2 / n). Sums over windows are differences of
sums from the first row on. Those are exact where it matters: times are whole milliseconds, and values are
split (`sums.split`) so that their high parts times any time add up without rounding. So moving the zero of
the times to the middle of each window loses nothing either, and what rounds are sums as small as those of
the window alone. Times are counted in what divides them all, most often the interval of a scrape: such
numbers are so small that the high parts of most values are all there is.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from zseval.model.arrays import Mask, Rows, Times, Values
from zseval.promql.kernels.sums import split, split_points
from zseval.promql.kernels.windows import NO_TIME, Differences

__all__ = ["LARGEST", "Samples", "fit"]

LARGEST = 2.0**900
"""Larger values times a time may overflow."""

_FEW = 2
"""So few steps are fitted sooner each by itself."""

_ALONE = 16
"""Series that sources have on average for each source to be fitted by itself."""

_CELLS = 1 << 16
"""Cells fitted at a time: 0.5 MB an array."""

_EXACT = 2**31
"""Rows times milliseconds up to which the low parts do not matter, whatever the windows are."""

_FITS = 2**62
"""Sums of squared times have to stay below."""

_FEW_TIMES = 1 << 12
"""Finding what divides so many takes less than what is saved."""


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Of S series.

    values: float64[S, T], finite, up to LARGEST, 0 where there is no sample.  base: float64[S, 1], what they
    are counted from.  peaks: float64[S, 1], no value is farther from 0.  live: bool[S, T], where a sample is;
    None where windows have no other cells.  times: int64[P, T], ms, of P sources, perhaps padded with
    NO_TIME.  of: intp[S], the source of each series; None where there is one, or each is its own.
    """

    values: Values
    base: Values
    peaks: Values
    live: Mask | None
    times: Times
    of: Rows | None

    def spread(self, array: Values) -> Values:
        """[P, K] -> what combines with [S, K]; what does already, stays."""
        stays = self.of is None or self.live is not None or len(array) == 1
        return array if stays else array[self.of]


def fit(samples: Samples, lo: Rows, hi: Rows, ends: Times, ahead: Values | None) -> Values:
    """The line through each window, float64[S, K]: its slope per second, or, given `ahead` (float64[K]),
    where it is so many seconds after the window's end. Of no meaning below two samples.

    lo, hi: intp[K] or intp[S, K].  ends: int64[K], ms.
    """
    found = np.empty((len(samples.values), len(ends)))
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        for rows, some in _chunks(samples):
            own = (lo, hi) if lo.ndim == 1 else (lo[rows], hi[rows])
            _fit_chunk(found[rows], some, *own, ends, ahead)
    return found


def _chunks(samples: Samples) -> Iterator[tuple[slice, Samples]]:
    """Some series at a time, so that what is in between stays in the cache; of one source if they can be."""
    series, of, sources = len(samples.values), samples.of, samples.times
    cuts, size = [0, series], max(1, _CELLS // max(samples.values.shape[1], 1))
    if of is not None and series >= _ALONE * len(sources):
        cuts = [0, *(np.flatnonzero(np.diff(of)) + 1).tolist(), series]
    for begin, end in itertools.pairwise(cuts):
        for first in range(begin, end, size):
            rows = slice(first, min(first + size, end))
            times, own = sources, None if of is None else of[rows]
            if own is not None and own[0] == own[-1] and len(cuts) > 2:
                times, own = sources[own[:1]], None
            elif own is None and len(sources) > 1:
                times = sources[rows]
            live = None if samples.live is None else samples.live[rows]
            yield (
                rows,
                Samples(samples.values[rows], samples.base[rows], samples.peaks[rows], live, times, own),
            )


def _fit_chunk(
    found: Values, samples: Samples, lo: Rows, hi: Rows, ends: Times, ahead: Values | None
) -> None:
    """`fit` of some series. found: written to."""
    for part in _parts(samples, lo, hi):
        own_lo, own_hi = lo[..., part], hi[..., part]
        band = _band(own_lo, own_hi)
        if band.start == band.stop:
            found[:, part] = 0.0
            continue
        fitted = _together if part.stop - part.start > _FEW else _each
        slope, mean, middle = fitted(_cut(samples, band), own_lo - band.start, own_hi - band.start)
        if ahead is None:
            found[:, part] = slope
            continue
        since = _finite(samples.times[:, band.start : band.start + 1]) - ends[part]
        slope *= ahead[part] - (middle + (since if samples.of is None else since[samples.of])) / 1000.0
        slope += mean
        np.add(slope, samples.base, out=found[:, part])


def _band(lo: Rows, hi: Rows) -> slice:
    """The rows that any of these windows holds."""
    return slice(int(lo.min()), max(int(hi.max()), int(lo.min())))


def _finite(times: Times) -> Times:
    return np.where(times == NO_TIME, 0, times)


def _cut(samples: Samples, band: slice) -> Samples:
    """Some of the rows; times from the first of them on, 0 in the padding."""
    times = samples.times[:, band]
    times = np.where(times == NO_TIME, 0, times - times[:, :1])
    live = None if samples.live is None else samples.live[:, band]
    return Samples(samples.values[:, band], samples.base, samples.peaks, live, times, samples.of)


def _parts(samples: Samples, lo: Rows, hi: Rows) -> Iterator[slice]:
    """Steps to take together: all, or so many that sums over all of their rows are as exact as is needed."""
    left = [slice(0, lo.shape[-1])] if lo.shape[-1] else []
    while left:
        part = left.pop()
        count = part.stop - part.start
        band = _band(lo[..., part], hi[..., part])
        if count <= _FEW or _is_exact(samples.times[:, band], hi[..., part] - lo[..., part]):
            yield part
        else:
            middle = part.start + count // 2
            left += [slice(middle, part.stop), slice(part.start, middle)]


def _is_exact(times: Times, counts: Rows) -> bool:
    rows = times.shape[1]
    if not rows:
        return True
    first = times[:, 0]
    last = np.where(times == NO_TIME, first[:, np.newaxis], times).max(axis=1)
    span = int((last - first).max())
    is_long = rows > 2 * int(counts.max())
    return rows * span * span <= _FITS and (rows * span <= _EXACT or not is_long)


def _together(samples: Samples, lo: Rows, hi: Rows) -> tuple[Values, Values, Values]:
    """Slope, mean, and mean time in ms from the first row on, of all windows."""
    values, live = samples.values, samples.live
    times, unit = _in_units(samples.times)
    sums = Differences(lo, hi)
    n = np.atleast_2d(hi - lo) if live is None else _whole(live, sums)
    whole = times
    if live is not None:
        whole = (times if samples.of is None else times[samples.of]) * live
    total_time, squares = _whole(whole, sums), _whole(whole * whole, sums)
    share = 1.0 / np.maximum(n, 1)
    middle = total_time * share
    zero = np.rint(middle).astype(np.int64)  # where each window counts from: a whole unit
    off = (total_time - n * zero) * share
    spread = (squares - (2 * total_time - n * zero) * zero) - off * off * n
    high, low = split(
        values, split_points(samples.peaks, values.shape[1] * max(int(times.max(initial=0)), 1))
    )
    stamps = times.astype(np.float64)
    if samples.of is not None:
        stamps = stamps[samples.of]
    start = samples.spread(zero.astype(np.float64))
    total = _running(high, sums)
    slope = _running(np.multiply(high, stamps, out=high), sums)
    slope -= start * total
    if low is not None:
        rest = _running(low, sums)
        slope += _running(np.multiply(low, stamps, out=low), sums) - start * rest
        total += rest
    if off.any():
        slope -= samples.spread(off) * total
    slope /= samples.spread(spread * (unit / 1000.0))
    total *= samples.spread(share)
    return slope, total, samples.spread(middle * unit)


def _in_units(times: Times) -> tuple[Times, int]:
    """Times from 0 on as multiples of a number of ms, and that number."""
    if times.size > _FEW_TIMES:
        return times, 1
    unit = int(np.gcd.reduce(times, axis=None))
    return (times // unit, unit) if unit > 1 else (times, 1)


def _running(array: Values, sums: Differences) -> Values:
    """[N, K]: the sum of each window."""
    running = np.empty((array.shape[0], array.shape[1] + 1))
    running[:, 0] = 0.0
    np.cumsum(array, axis=1, out=running[:, 1:])
    return sums.of(running)


def _whole(array: Times | Mask, sums: Differences) -> Times:
    """The same of whole numbers."""
    running = np.zeros((array.shape[0], array.shape[1] + 1), dtype=np.int64)
    np.cumsum(array, axis=1, out=running[:, 1:])
    return sums.of(running)


def _each(samples: Samples, lo: Rows, hi: Rows) -> tuple[Values, Values, Values]:
    """As `_together`, one step after the other."""
    found = [
        _one(samples, lo[..., step : step + 1], hi[..., step : step + 1]) for step in range(lo.shape[-1])
    ]
    slopes, means, middles = zip(*found, strict=True)
    return np.hstack(slopes), np.hstack(means), np.hstack(middles)


def _one(samples: Samples, lo: Rows, hi: Rows) -> tuple[Values, Values, Values]:
    """Of one step: float64[S, 1] each, or the mean time float64[1, 1] where it is that of all."""
    values, inside = samples.values, samples.live
    stamps = samples.times.astype(np.float64)
    if lo.ndim == 1:
        rows = slice(int(lo[0]), int(hi[0]))
        values, stamps = values[:, rows], stamps[:, rows]
        inside = None if inside is None else inside[:, rows]
    else:
        number = np.arange(values.shape[1], dtype=np.intp)
        held = (number >= lo) & (number < hi)
        inside = held if inside is None else inside & held
    if inside is None:
        share = 1.0 / max(stamps.shape[1], 1)
        middle = stamps.sum(axis=1, keepdims=True) * share
        off = stamps - middle
    else:
        stamps = stamps if samples.of is None else stamps[samples.of]
        share = 1.0 / np.maximum(np.count_nonzero(inside, axis=1, keepdims=True), 1)
        middle = (stamps * inside).sum(axis=1, keepdims=True) * share
        off = (stamps - middle) * inside
        values = np.where(inside, values, 0.0)
    squares = np.square(off).sum(axis=1, keepdims=True)
    product = np.einsum("sn,sn->s", values, np.broadcast_to(samples.spread(off), values.shape))
    slope = product[:, np.newaxis] * 1000.0 / samples.spread(squares)
    return slope, values.sum(axis=1, keepdims=True) * share, samples.spread(middle)
