"""The trim operators: a histogram without the observations above or below a value.

Observations inside the bucket that the value cuts are estimated as for quantiles; where anything was cut
off, count and sum are estimated anew from the buckets.
Source: TrimBuckets upstream (model/histogram/float_histogram.go).
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from zseval.model.histogram.buckets import Bucket, Buckets
from zseval.model.histogram.histogram import Histogram

__all__ = ["trimmed"]


def trimmed(histogram: Histogram, at: float, *, upper: bool) -> Histogram:
    """upper: what lies above `at` goes (`</`); else what lies below it (`>/`)."""
    count, total, cut = 0.0, 0.0, False
    sides: list[Buckets] = []
    populated: list[bool] = []
    for positive in (True, False):
        side = histogram.positive if positive else histogram.negative
        kept = side.counts.copy()
        populated.append(bool((kept != 0).any()))
        for index, bucket in enumerate(histogram.buckets_outwards(positive=positive)):
            if bucket.count == 0:
                continue
            left, middle = _part(bucket, at, upper=upper, positive=positive, linear=histogram.is_custom)
            count += left
            total += middle * left
            cut |= left != bucket.count or _lies_outside(bucket, at, upper=upper)
            kept[index] = left
        sides.append(Buckets(side.indices, kept))
    zero_count = histogram.zero_count
    if zero_count > 0:
        zero_count, middle = _zero_part(histogram, at, upper=upper, populated=populated)
        cut |= zero_count != histogram.zero_count
        count += zero_count
        total += middle * zero_count
    if not cut:
        return histogram
    positives, negatives = sides
    return replace(
        histogram, count=count, sum=total, zero_count=zero_count, positive=positives, negative=negatives
    ).compact()


def _lies_outside(bucket: Bucket, at: float, *, upper: bool) -> bool:
    return bucket.lower >= at and bucket.upper > at if upper else bucket.upper <= at and bucket.lower < at


def _part(bucket: Bucket, at: float, *, upper: bool, positive: bool, linear: bool) -> tuple[float, float]:
    """How many of a bucket's observations stay, and the middle of where they lie."""
    whole = bucket.upper <= at if upper else bucket.lower >= at
    if whole:
        return bucket.count, _middle(bucket.lower, bucket.upper, positive=positive, linear=linear)
    if not (bucket.lower < at if upper else bucket.upper > at):
        return 0.0, 0.0
    if math.isinf(bucket.lower) or math.isinf(bucket.upper):
        return _part_of_infinite(bucket, at, upper=upper)
    below = 0.0 if at <= bucket.lower else bucket.count
    if bucket.lower < at < bucket.upper:
        below = bucket.count * bucket.fraction_below(at, linear=linear)
    if upper:
        return below, _middle(bucket.lower, at, positive=positive, linear=linear)
    return bucket.count - below, _middle(at, bucket.upper, positive=positive, linear=linear)


def _part_of_infinite(bucket: Bucket, at: float, *, upper: bool) -> tuple[float, float]:
    """Nothing is known of the spread over an infinite width: mostly all goes or all stays.

    A first bucket that ends above zero is taken to begin at zero.
    """
    if bucket.lower == -math.inf:
        finite = not math.isinf(bucket.upper)
        if upper:
            if at >= bucket.upper:
                return bucket.count, 0.0
            if at > 0 and bucket.upper > 0 and finite:
                return bucket.count * at / bucket.upper, at / 2
            if bucket.upper <= 0:
                return bucket.count, at
            return 0.0, 0.0
        if at <= bucket.lower:
            return bucket.count, 0.0
        if at >= 0 and bucket.upper > at and finite:
            return bucket.count * (1 - at / bucket.upper), (at + bucket.upper) / 2
        return 0.0, 0.0
    if not upper and at >= bucket.lower:
        return bucket.count, at
    return 0.0, 0.0


def _zero_part(histogram: Histogram, at: float, *, upper: bool, populated: list[bool]) -> tuple[float, float]:
    """Of the zero bucket, which reaches to one side only where the other has no observations."""
    has_positive, has_negative = populated
    low, high = -histogram.zero_threshold, histogram.zero_threshold
    if has_negative and not has_positive:
        high = 0.0
    if has_positive and not has_negative:
        low = 0.0
    if upper:
        if at <= low:
            return 0.0, 0.0
        if at >= high:
            return histogram.zero_count, (low + high) / 2
        return histogram.zero_count * ((at - low) / (high - low)), (low + at) / 2
    if at <= low:
        return histogram.zero_count, (low + high) / 2
    if at >= high:
        return 0.0, 0.0
    return histogram.zero_count * ((high - at) / (high - low)), (at + high) / 2


def _middle(lower: float, upper: float, *, positive: bool, linear: bool) -> float:
    if math.isinf(lower):
        if math.isinf(upper):
            return 0.0
        return upper / 2 if upper > 0 else upper
    if math.isinf(upper):
        return lower
    if linear:
        return (lower + upper) / 2
    geometric = float(np.sqrt(abs(lower * upper)))
    return geometric if positive else -geometric
