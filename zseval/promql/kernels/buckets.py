"""Quantiles and fractions of classic histograms, many at once.

G histograms with the same B bounds at K steps are counts [G, B, K]; work goes bucket by bucket over
[G, K]. Where a histogram lacks a bucket at some step, the bucket is passed over there.
Source: promql/quantile.go (BucketQuantile, BucketFraction, ensureMonotonicAndIgnoreSmallDeltas).
"""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass

import numpy as np

from zseval.model.arrays import Mask, Rows, Values
from zseval.promql.kernels import few_buckets

__all__ = ["BucketQuantiles", "bucket_fraction", "bucket_quantile"]

_SMALL_DELTA = 1e-12
"""Relative differences of neighbouring counts below this are rounding."""

_SMALLEST_NORMAL = 2.0**-1022

_FEW_COUNTS = 512
"""So many counts are gone through sooner one by one than as arrays."""


@dataclass(frozen=True, slots=True, eq=False)
class BucketQuantiles:
    """values: float64[G, K].  forced: bool[G, K], where counts fell from bucket to bucket and were raised.

    lowest, highest: float64[G, K], the bounds between which that was; largest: the most a count was raised.
    The last four are None where nothing was forced anywhere.
    """

    values: Values
    forced: Mask | None = None
    lowest: Values | None = None
    highest: Values | None = None
    largest: Values | None = None


def bucket_quantile(wanted: Values, bounds: Values, counts: Values, present: Mask | None) -> BucketQuantiles:
    """The quantile `wanted` of each histogram.

    wanted: float64[K].  bounds: float64[B], upper bounds, not decreasing.  counts: float64[G, B, K],
    cumulative.  present: bool[G, B, K], None for all. A histogram without any bucket at a step gives NaN.
    """
    shape = (counts.shape[0], counts.shape[2])
    if present is None and shape[1] == 1 and 0 < counts.size <= _FEW_COUNTS and 0 <= wanted[0] <= 1:
        edges = bounds.tolist()
        if edges[-1] == math.inf and all(map(operator.lt, edges, edges[1:])):
            return _of_few(float(wanted[0]), edges, counts)
    valid = (wanted >= 0) & (wanted <= 1)
    outside = np.where(wanted < 0, -np.inf, np.where(wanted > 1, np.inf, np.nan))
    values = np.broadcast_to(outside, shape).copy()
    if len(bounds) == 0 or bounds[-1] != np.inf or not valid.any():
        return BucketQuantiles(values)
    bounds, counts, present = _coalesced(bounds, counts, present)
    usable = np.broadcast_to(valid, shape)
    if present is not None:
        usable = usable & present[:, -1]
    even = _made_even(bounds, counts, present)
    found = _interpolated(wanted, bounds, even.counts, present)
    values[usable] = found[usable]
    if present is not None:
        values[~usable & valid] = np.nan
    forced = None if even.forced is None else even.forced & usable
    if forced is None or not forced.any():
        return BucketQuantiles(values)
    return BucketQuantiles(values, forced, even.lowest, even.highest, even.largest)


def _of_few(wanted: float, bounds: list[float], counts: Values) -> BucketQuantiles:
    """`bucket_quantile` of different bounds, the last +Inf. counts: float64[G, B, 1]."""
    found = [few_buckets.quantile(wanted, bounds, mine) for mine in counts[:, :, 0].tolist()]
    values = np.array([value for value, _ in found])[:, np.newaxis]
    if all(forced is None for _, forced in found):
        return BucketQuantiles(values)
    lowest, highest, largest = (np.array([[each]]).repeat(len(found), 0) for each in (np.inf, -np.inf, 0.0))
    mask = np.zeros(values.shape, dtype=np.bool_)
    for row, (_, forced) in enumerate(found):
        if forced is not None:
            mask[row] = True
            lowest[row], highest[row], largest[row] = forced.lowest, forced.highest, forced.largest
    return BucketQuantiles(values, mask, lowest, highest, largest)


def _coalesced(bounds: Values, counts: Values, present: Mask | None) -> tuple[Values, Values, Mask | None]:
    """Buckets with equal bounds added up."""
    starts = np.flatnonzero(np.concatenate([[True], bounds[1:] != bounds[:-1]]))
    if len(starts) == len(bounds):
        return bounds, counts, present
    if present is not None:
        counts = np.where(present, counts, 0.0)
        present = np.logical_or.reduceat(present, starts, axis=1)
    return bounds[starts], np.add.reduceat(counts, starts, axis=1), present


@dataclass(slots=True)
class _Even:
    """Counts that do not fall, [G, B, K], and what BucketQuantiles says of how they came to be."""

    counts: Values
    forced: Mask | None = None
    lowest: Values | None = None
    highest: Values | None = None
    largest: Values | None = None


def _made_even(bounds: Values, counts: Values, present: Mask | None) -> _Even:
    """Counts without falls and tiny rises; an absent bucket takes the count before it (-inf at first)."""
    if present is None:
        with np.errstate(invalid="ignore"):
            rises = counts[:, 1:] - counts[:, :-1]
            usual = (rises == 0) | (rises > 2 * _SMALL_DELTA * counts[:, 1:])
        if usual.all():
            return _Even(counts)
    shape = (counts.shape[0], counts.shape[2])
    even = np.empty(counts.shape)
    forced = np.zeros(shape, dtype=np.bool_)
    lowest, highest = np.full(shape, np.inf), np.full(shape, -np.inf)
    largest = np.zeros(shape)
    before = np.full(shape, -np.inf)
    started = np.zeros(shape, dtype=np.bool_)
    for bucket, bound in enumerate(bounds.tolist()):
        count = counts[:, bucket]
        here = np.ones(shape, dtype=np.bool_) if present is None else present[:, bucket]
        tiny = _nearly_equal(before, count)
        falls = here & started & ~tiny & (count < before)
        takes = here & (~started | ~(tiny | (count < before)))
        with np.errstate(invalid="ignore"):
            drop = np.where(falls, before - count, 0.0)
        forced |= falls
        lowest[falls] = np.minimum(lowest[falls], bound)
        highest[falls] = np.maximum(highest[falls], bound)
        np.fmax(largest, drop, out=largest)
        before = np.where(takes, count, before)
        even[:, bucket] = before
        started |= here
    return _Even(even, forced, lowest, highest, largest)


def _nearly_equal(left: Values, right: Values) -> Mask:
    """Equal up to rounding. Source: util/almost (Equal)."""
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        total = np.abs(left) + np.abs(right)
        apart = np.abs(left - right)
        near_zero = (left == 0) | (right == 0) | (total < _SMALLEST_NORMAL)
        largest = np.finfo(np.float64).max
        close = np.where(
            near_zero,
            apart < _SMALL_DELTA * _SMALLEST_NORMAL,
            apart / np.minimum(total, largest) < _SMALL_DELTA,
        )
    return np.asarray((left == right) | close | (np.isnan(left) & np.isnan(right)))


def _interpolated(wanted: Values, bounds: Values, counts: Values, present: Mask | None) -> Values:
    """[G, K]: linear within the bucket that the rank falls into. The last bucket is +Inf and present."""
    observations = counts[:, -1]
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        rank = wanted * observations
        place = _search(counts, rank)
        previous, has_previous = _previous(place, present)
        start = np.where(has_previous, bounds[previous], 0.0)
        base = np.where(has_previous, _pick(counts, previous), 0.0)
        end = bounds[place]
        value = start + (end - start) * ((rank - base) / (_pick(counts, place) - base))
    in_last = place == len(bounds) - 1
    second = _previous(np.full(place.shape, len(bounds) - 1, dtype=np.intp), present)
    value = np.where(~has_previous & ~in_last & (end <= 0), end, value)
    value = np.where(in_last, bounds[second[0]], value)
    return np.where(second[1] & (observations != 0), value, np.nan)


def _search(counts: Values, rank: Values) -> Rows:
    """[G, K]: the first bucket but the last whose count reaches the rank; the last if none does.

    By halving, as upstream does it: with a NaN among the counts it matters which are looked at.
    """
    low = np.zeros(rank.shape, dtype=np.intp)
    high = np.full(rank.shape, counts.shape[1] - 1, dtype=np.intp)
    for _ in range(counts.shape[1].bit_length()):
        middle = (low + high) // 2
        open_ = low < high
        reached = _pick(counts, middle) >= rank
        high = np.where(open_ & reached, middle, high)
        low = np.where(open_ & ~reached, middle + 1, low)
    return low


def _pick(counts: Values, place: Rows) -> Values:
    """[G, K]: the count of one bucket of each histogram at each step."""
    return np.take_along_axis(counts, place[:, np.newaxis], axis=1)[:, 0]


def _previous(place: Rows, present: Mask | None) -> tuple[Rows, Mask]:
    """[G, K]: the bucket before `place` (0 where there is none), and whether there is one."""
    if present is None:
        return np.maximum(place - 1, 0), place > 0
    numbers = np.arange(present.shape[1], dtype=np.intp)[:, np.newaxis]
    latest = np.maximum.accumulate(np.where(present, numbers, -1), axis=1)  # [G, B, K] at or before each
    before = np.concatenate([np.full_like(latest[:, :1], -1), latest[:, :-1]], axis=1)
    found = np.take_along_axis(before, place[:, np.newaxis], axis=1)[:, 0]
    return np.maximum(found, 0), found >= 0


def bucket_fraction(
    lower: Values, upper: Values, bounds: Values, counts: Values, present: Mask | None
) -> Values:
    """float64[G, K]: the share of observations between `lower` and `upper` (float64[K]).

    bounds, counts, present: as in `bucket_quantile`.
    """
    shape = (counts.shape[0], counts.shape[2])
    if len(bounds) == 0 or bounds[-1] != np.inf:
        return np.full(shape, np.nan)
    bounds, counts, present = _coalesced(bounds, counts, present)
    total = counts[:, -1]
    with np.errstate(invalid="ignore", divide="ignore"):
        below_upper = _rank(upper, bounds, counts, present)
        below_lower = _rank(lower, bounds, counts, present)
        share = (below_upper - below_lower) / total
    share = np.where(lower >= upper, 0.0, share)
    unknown = (total == 0) | np.isnan(lower) | np.isnan(upper)
    if present is not None:
        unknown |= ~present[:, -1]
    return np.where(unknown, np.nan, share)


def _rank(value: Values, bounds: Values, counts: Values, present: Mask | None) -> Values:
    """[G, K]: how many observations are below `value`, float64[K]."""
    shape = (counts.shape[0], counts.shape[2])
    result, rank = np.zeros(shape), np.zeros(shape)
    done, started = np.zeros(shape, dtype=np.bool_), np.zeros(shape, dtype=np.bool_)
    floor = np.zeros(shape)
    for bucket, bound in enumerate(bounds.tolist()):
        here = np.ones(shape, dtype=np.bool_) if present is None else present[:, bucket]
        count = counts[:, bucket]
        floor = np.where(here & ~started, 0.0 if bound > 0 else -np.inf, floor)
        at_edge = here & ~done & (floor >= value)
        inside = here & ~done & (floor < value) & (bound > value)
        share = (count - rank) * (value - floor) / (bound - floor)
        between = np.where(floor == -np.inf, count, rank + share)
        result = np.where(at_edge, rank, np.where(inside, between, result))
        done |= at_edge | inside
        started |= here
        rank = np.where(here, count, rank)
        floor = np.where(here, bound, floor)
    total = counts[:, -1]
    return np.where(~done | (result > total), total, result)
