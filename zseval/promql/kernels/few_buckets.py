"""Quantiles of a few classic histograms at one step, as plain numbers.

What `buckets` does with arrays bucket by bucket costs the same for one histogram as for hundreds, which
is most of what a rule over a dozen of them takes.
Source: promql/quantile.go (BucketQuantile, ensureMonotonicAndIgnoreSmallDeltas), util/almost (Equal).
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass

__all__ = ["Forced", "quantile"]

_SMALL_DELTA = 1e-12
_SMALLEST_NORMAL, _LARGEST = sys.float_info.min, sys.float_info.max


@dataclass(slots=True)
class Forced:
    """That counts fell from bucket to bucket and were raised: between which bounds, and the most of it."""

    lowest: float
    highest: float
    largest: float


def quantile(wanted: float, bounds: list[float], counts: list[float]) -> tuple[float, Forced | None]:
    """The quantile of one histogram. wanted: from 0 to 1.

    bounds: upper bounds, increasing, the last +Inf.  counts: cumulative, one for each of them.
    """
    even, forced = _even(bounds, counts)
    return _interpolated(wanted, bounds, even), forced


def _even(bounds: list[float], counts: list[float]) -> tuple[list[float], Forced | None]:
    """Counts without falls and tiny rises."""
    before, forced = counts[0], None
    even = [before]
    for bound, count in zip(bounds[1:], counts[1:], strict=True):
        if count != before and not _nearly_equal(before, count):
            if count < before:
                if forced is None:
                    forced = Forced(bound, bound, before - count)
                forced.highest, forced.largest = bound, max(forced.largest, before - count)
            else:
                before = count
        even.append(before)
    return even, forced


def _nearly_equal(left: float, right: float) -> bool:
    """Of two numbers that are not the same: whether that is rounding."""
    if left != left or right != right:
        return left != left and right != right
    total, apart = abs(left) + abs(right), abs(left - right)
    if left == 0 or right == 0 or total < _SMALLEST_NORMAL:
        return apart < _SMALL_DELTA * _SMALLEST_NORMAL
    return apart / min(total, _LARGEST) < _SMALL_DELTA


def _interpolated(wanted: float, bounds: list[float], counts: list[float]) -> float:
    """Linear within the bucket that the rank falls into."""
    last = len(bounds) - 1
    if last < 1 or counts[last] == 0:
        return math.nan
    rank = wanted * counts[last]
    low, high = 0, last  # by halving, as upstream: with a NaN among the counts it matters which are looked at
    while low < high:
        middle = (low + high) // 2
        if counts[middle] >= rank:
            high = middle
        else:
            low = middle + 1
    if low == last:
        return bounds[last - 1]
    end = bounds[low]
    if low == 0:
        if end <= 0:
            return end
        start = base = 0.0
    else:
        start, base = bounds[low - 1], counts[low - 1]
    held = counts[low] - base
    if held == 0:
        return math.nan if rank == base else start + (end - start) * math.copysign(math.inf, rank - base)
    return start + (end - start) * ((rank - base) / held)
