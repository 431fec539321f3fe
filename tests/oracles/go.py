"""Go's float64 arithmetic where Python's raises."""

from __future__ import annotations

import math


def divide(left: float, right: float) -> float:
    """`left / right` with Go's infinities and NaN."""
    if right != 0:
        return left / right
    if left == 0 or math.isnan(left):
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1.0, right)


def sqrt(value: float) -> float:
    return math.sqrt(value) if value >= 0 else math.nan


def kahan_inc(value: float, total: float, rest: float) -> tuple[float, float]:
    """One step of the Kahan-Babuska-Neumaier sum. Source: util/kahansum (Inc)."""
    new = total + value
    if math.isinf(new):
        return new, 0.0
    if abs(total) >= abs(value):
        return new, rest + ((total - new) + value)
    return new, rest + ((value - new) + total)
