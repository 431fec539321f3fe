"""Slow twins of regression and smoothing. Source: promql/functions.go."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from tests.oracles.go import divide, kahan_inc
from tests.oracles.windows import Sample


def upstream(samples: Sequence[Sample], intercept_time: int) -> tuple[float, float]:
    """Slope and intercept as upstream computes them."""
    if all(value == samples[0][1] for _, value in samples):
        value = samples[0][1]
        return (math.nan, math.nan) if math.isinf(value) else (0.0, value)
    sums = [(0.0, 0.0)] * 4
    for time, value in samples:
        x = (time - intercept_time) / 1000
        sums = [
            kahan_inc(term, *so_far) for term, so_far in zip((x, value, x * value, x * x), sums, strict=True)
        ]
    x_sum, y_sum, xy_sum, xx_sum = (total + rest for total, rest in sums)
    n = float(len(samples))
    slope = divide(xy_sum - x_sum * y_sum / n, xx_sum - x_sum * x_sum / n)
    return slope, y_sum / n - slope * x_sum / n


def exact(samples: Sequence[Sample], intercept_time: int) -> tuple[float, float]:
    """Slope and intercept of finite values in exact arithmetic, rounded at the end."""
    xs = [Fraction(time - intercept_time, 1000) for time, _ in samples]
    ys = [Fraction(value) for _, value in samples]
    x_mean, y_mean = sum(xs) / len(xs), sum(ys) / len(ys)
    slope = sum((x - x_mean) * (y - y_mean) for x, y in zip(xs, ys, strict=True)) / sum(
        (x - x_mean) ** 2 for x in xs
    )
    return float(slope), float(y_mean - slope * x_mean)


def smoothed(
    samples: Sequence[Sample], _start: int, _end: int, smoothing: float, trend: float
) -> float | None:
    if len(samples) < 2:
        return None
    values = [value for _, value in samples]
    before, level = 0.0, values[0]
    slope = values[1] - values[0]
    for row, value in enumerate(values[1:]):
        x = smoothing * value
        if row:
            slope = trend * (level - before) + (1 - trend) * slope
        before, level = level, x + (1 - smoothing) * (level + slope)
    return level
