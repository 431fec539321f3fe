"""Slow twins of the classic histogram kernels: one histogram. Source: promql/quantile.go."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tests.oracles.go import divide

Bucket = tuple[float, float]
SMALLEST_NORMAL = 2.0**-1022


@dataclass
class Quantile:
    value: float
    forced: bool = False
    lowest: float = math.inf
    highest: float = -math.inf
    largest: float = 0.0


def _coalesced(buckets: Sequence[Bucket]) -> list[Bucket]:
    merged: list[Bucket] = []
    for bound, count in sorted(buckets, key=lambda bucket: bucket[0]):
        if merged and merged[-1][0] == bound:
            merged[-1] = (bound, merged[-1][1] + count)
        else:
            merged.append((bound, count))
    return merged


def _nearly_equal(a: float, b: float) -> bool:
    if (math.isnan(a) and math.isnan(b)) or a == b:
        return True
    total, apart = abs(a) + abs(b), abs(a - b)
    if a == 0 or b == 0 or total < SMALLEST_NORMAL:
        return apart < 1e-12 * SMALLEST_NORMAL
    return apart / min(total, 1.7976931348623157e308) < 1e-12


def bucket_quantile(wanted: float, buckets: Sequence[Bucket]) -> Quantile:
    if math.isnan(wanted):
        return Quantile(math.nan)
    if wanted < 0 or wanted > 1:
        return Quantile(math.copysign(math.inf, wanted))
    merged = _coalesced(buckets)
    if not merged or merged[-1][0] != math.inf:
        return Quantile(math.nan)
    bounds = [bound for bound, _ in merged]
    counts = [count for _, count in merged]
    found = Quantile(math.nan)
    before = counts[0]
    for place in range(1, len(counts)):
        count = counts[place]
        if count == before:
            continue
        if _nearly_equal(before, count):
            counts[place] = before
        elif count < before:
            counts[place] = before
            found.forced = True
            found.lowest = min(found.lowest, bounds[place])
            found.highest = max(found.highest, bounds[place])
            found.largest = max(found.largest, before - count)
        else:
            before = count
    if len(counts) < 2 or counts[-1] == 0:
        return found
    rank = wanted * counts[-1]
    low, high = 0, len(counts) - 1
    while low < high:
        middle = (low + high) // 2
        if counts[middle] >= rank:
            high = middle
        else:
            low = middle + 1
    if low == len(counts) - 1:
        found.value = bounds[-2]
    elif low == 0 and bounds[0] <= 0:
        found.value = bounds[0]
    else:
        start, end, count = 0.0, bounds[low], counts[low]
        if low > 0:
            start = bounds[low - 1]
            count -= counts[low - 1]
            rank -= counts[low - 1]
        found.value = start + (end - start) * divide(rank, count)
    return found


def bucket_fraction(lower: float, upper: float, buckets: Sequence[Bucket]) -> float:
    merged = _coalesced(buckets)
    if not merged or merged[-1][0] != math.inf:
        return math.nan
    total = merged[-1][1]
    if total == 0 or math.isnan(lower) or math.isnan(upper):
        return math.nan
    if lower >= upper:
        return 0.0
    ranks = []
    for value in (lower, upper):
        rank, found = 0.0, None
        floor = -math.inf if merged[0][0] <= 0 else 0.0
        for place, (bound, count) in enumerate(merged):
            if place > 0:
                floor = merged[place - 1][0]
            if floor >= value:
                found = rank
                break
            if floor < value < bound:
                found = (
                    count if floor == -math.inf else rank + (count - rank) * (value - floor) / (bound - floor)
                )
                break
            rank = count
        ranks.append(total if found is None or found > total else found)
    return divide(ranks[1] - ranks[0], total)
