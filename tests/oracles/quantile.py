"""Slow twins of the quantile kernels. Source: promql/quantile.go (quantile)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tests.oracles.windows import Sample


def quantile(wanted: float, values: Sequence[float]) -> float:
    if not values or math.isnan(wanted):
        return math.nan
    if wanted < 0:
        return -math.inf
    if wanted > 1:
        return math.inf
    ordered = [value for value in values if math.isnan(value)]
    ordered += sorted(value for value in values if not math.isnan(value))
    rank = wanted * (len(ordered) - 1)
    low = max(0, math.floor(rank))
    high = min(len(ordered) - 1, low + 1)
    weight = rank - math.floor(rank)
    return ordered[low] * (1 - weight) + ordered[high] * weight


def quantile_over_time(samples: Sequence[Sample], _start: int, _end: int, wanted: float) -> float:
    return quantile(wanted, [value for _, value in samples])


def mad_over_time(samples: Sequence[Sample], _start: int, _end: int) -> float:
    values = [value for _, value in samples]
    if any(math.isnan(value) for value in values):
        return math.nan
    median = quantile(0.5, values)
    return quantile(0.5, [abs(value - median) for value in values])
