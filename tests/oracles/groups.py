"""Slow twins of the group kernels: one group at one step. Source: promql/engine.go (aggregation)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from tests.oracles.go import sqrt
from tests.oracles.over_time import mean, total


def _best(values: Sequence[float], *, largest: bool) -> float:
    found = values[0]
    for value in values[1:]:
        if (value > found if largest else value < found) or math.isnan(found):
            found = value
    return found


def variance(values: Sequence[float]) -> float:
    average, squares = values[0], 0.0 if math.isfinite(values[0]) else math.nan
    for count, value in enumerate(values[1:], start=2):
        off = value - average
        average += off / count
        squares += off * (value - average)
    return squares / len(values)


AGGREGATES: dict[str, Callable[[Sequence[float]], float]] = {
    "sum": total,
    "avg": mean,
    "min": lambda values: _best(values, largest=False),
    "max": lambda values: _best(values, largest=True),
    "count": lambda values: float(len(values)),
    "group": lambda _: 1.0,
    "stdvar": variance,
    "stddev": lambda values: sqrt(variance(values)),
}
