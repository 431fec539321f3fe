"""What a native histogram says of its observations: variance, quantiles, fractions.

Source: promql/quantile.go (HistogramQuantile, HistogramFraction) and functions.go (histogramVariance).
"""

# numpy's types of object arrays do not say what the objects are.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportReturnType=false

from __future__ import annotations

import enum
import math
from dataclasses import replace

from zseval.model.histogram import Histogram
from zseval.model.histogram.buckets import Bucket

__all__ = ["Remark", "average", "fraction", "quantile", "stddev", "variance"]


class Remark(enum.Enum):
    """What there is to say about NaN observations."""

    NAN = "the quantile lies among them"
    SKEWED = "they count as the largest"
    EXCLUDED = "no fraction has them"


def average(histogram: Histogram) -> float:
    return _divided(histogram.sum, histogram.count)


def _divided(value: float, by: float) -> float:
    """As IEEE 754 has it."""
    if by != 0:
        return value / by
    return (
        math.nan if value == 0 or math.isnan(value) else math.copysign(math.inf, value) * math.copysign(1, by)
    )


def stddev(histogram: Histogram) -> float:
    found = variance(histogram)
    return math.sqrt(found) if found >= 0 else math.nan


def variance(histogram: Histogram) -> float:
    """As if all observations of a bucket lay in its middle, the geometric one of exponential buckets."""
    mean = average(histogram)
    parts = []
    for bucket in histogram.buckets():
        if bucket.count == 0:
            continue
        delta = _middle(bucket, custom=histogram.is_custom) - mean
        parts.append(bucket.count * delta * delta)
    total = math.fsum(parts) if all(map(math.isfinite, parts)) else sum(parts)
    return _divided(total, histogram.count)


def _middle(bucket: Bucket, *, custom: bool) -> float:
    if custom:
        return (bucket.upper + bucket.lower) / 2
    if bucket.lower <= 0 <= bucket.upper:
        return 0.0
    middle = math.sqrt(bucket.upper * bucket.lower)
    return -middle if bucket.upper < 0 else middle


def quantile(wanted: float, histogram: Histogram) -> tuple[float, Remark | None]:
    """The value below which that share of the observations lies, and what to say of it."""
    if wanted < 0:
        return -math.inf, None
    if wanted > 1:
        return math.inf, None
    if histogram.count == 0 or math.isnan(wanted):
        return math.nan, None
    # From the nearer end, but where NaN observations hide: those count as the largest.
    has_nan = math.isnan(histogram.sum)
    forwards = has_nan or wanted < 0.5
    buckets = list(histogram.buckets())
    if not forwards:
        buckets.reverse()
    rank = (wanted if forwards else 1 - wanted) * histogram.count
    bucket, at, count = _reached(buckets, rank)
    edge = _edge(histogram, bucket)
    if isinstance(edge, float):
        return edge, None
    bucket = edge
    count = min(count, histogram.count)
    if count < rank:
        return (math.nan, Remark.NAN) if has_nan else (bucket.upper, None)
    rank = rank - (count - bucket.count) if forwards else count - rank
    remark = None
    if has_nan and count + sum(each.count for each in buckets[at + 1 :]) < histogram.count:
        remark = Remark.SKEWED
    return _interpolated(histogram, bucket, _divided(rank, bucket.count)), remark


def _reached(buckets: list[Bucket], rank: float) -> tuple[Bucket, int, float]:
    """The bucket in which a running count reaches the rank, where it is, and the count; else the last."""
    bucket, count = Bucket(0.0, 0.0, False, False, 0.0), 0.0
    for place, each in enumerate(buckets):
        bucket = each
        count += bucket.count
        if bucket.count != 0 and count >= rank:
            return bucket, place, count
    return bucket, len(buckets), count


def _edge(histogram: Histogram, bucket: Bucket) -> Bucket | float:
    """The bucket as far as observations are thought to reach in it; the value where that is a point."""
    if not histogram.is_custom:
        return _one_sided(histogram, bucket) if bucket.lower < 0 < bucket.upper else bucket
    if bucket.lower == -math.inf:
        return bucket.upper if bucket.upper <= 0 else replace(bucket, lower=0.0)
    return bucket.lower if bucket.upper == math.inf else bucket


def _one_sided(histogram: Histogram, bucket: Bucket) -> Bucket:
    """The zero bucket, of the half that is in use where only one side has buckets."""
    if not len(histogram.negative) and len(histogram.positive):
        return replace(bucket, lower=0.0)
    if not len(histogram.positive) and len(histogram.negative):
        return replace(bucket, upper=0.0)
    return bucket


def _interpolated(histogram: Histogram, bucket: Bucket, share: float) -> float:
    """The value that far into a bucket: evenly, or on a logarithmic scale."""
    if histogram.is_custom or bucket.lower <= 0 <= bucket.upper:
        return bucket.lower + (bucket.upper - bucket.lower) * share
    low, high = _log2(abs(bucket.lower)), _log2(abs(bucket.upper))
    if bucket.lower > 0:
        return math.exp2(low + (high - low) * share)
    return -math.exp2(high + (low - high) * (1 - share))


def _log2(value: float) -> float:
    return math.log2(value) if value > 0 else -math.inf


def fraction(lower: float, upper: float, histogram: Histogram) -> tuple[float, Remark | None]:
    """The share of the observations between two values, and what to say of it."""
    if histogram.count == 0 or math.isnan(lower) or math.isnan(upper):
        return math.nan, None
    if lower >= upper:
        return 0.0, None
    ends: list[float | None] = [None, None]
    rank = 0.0
    for bucket in histogram.buckets():
        is_zero = bucket.lower <= 0 <= bucket.upper
        if is_zero:
            bucket = _one_sided(histogram, bucket)
        for which, value in enumerate((lower, upper)):
            if ends[which] is None:
                ends[which] = _rank_at(value, bucket, rank, linear=histogram.is_custom or is_zero)
        rank += bucket.count
    count, remark = histogram.count, None
    if math.isnan(histogram.sum):
        count = rank
        remark = Remark.EXCLUDED if rank < histogram.count else None
    low, high = (count if end is None else min(end, count) for end in ends)
    return (high - low) / histogram.count, remark


def _rank_at(value: float, bucket: Bucket, rank: float, *, linear: bool) -> float | None:
    """How many observations lie below a value, where it is at the lower end of a bucket or inside it."""
    if bucket.lower >= value:
        return rank
    if bucket.upper <= value:
        return None
    if linear and bucket.lower == -math.inf:
        return bucket.count
    if linear and bucket.upper == math.inf:
        return rank
    return rank + bucket.count * bucket.fraction_below(value, linear=linear)
