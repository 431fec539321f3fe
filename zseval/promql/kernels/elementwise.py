"""Functions of one value at a time: rounding, logarithms, trigonometry, clamps.

Each takes float64 of any shape and gives fresh float64 of that shape. Parameters are float64[K] and
broadcast along the last axis. Where Go's math differs from C's, this follows Go.
Source: promql/functions.go; Go's math package.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from zseval.model.arrays import Values

__all__ = [
    "ELEMENTWISE",
    "clamp",
    "clamp_max",
    "clamp_min",
    "deg",
    "ln",
    "log2",
    "log10",
    "max_of",
    "min_of",
    "rad",
    "rounded",
    "sgn",
]


def _quiet(function: Callable[[Values], Values]) -> Callable[[Values], Values]:
    """The function without numpy's warnings: its infinities and NaN are meant."""

    def apply(values: Values) -> Values:
        with np.errstate(all="ignore"):
            result: Values = function(values)
        return result

    return apply


ln = _quiet(np.log)


def log2(values: Values) -> Values:
    """As Go computes it: the exponent, plus the logarithm of the fraction; powers of two are exact."""
    fraction, exponent = np.frexp(values)
    with np.errstate(divide="ignore", invalid="ignore"):
        result = np.log(fraction) * (1 / math.log(2)) + exponent
    power = fraction == 0.5
    np.copyto(result, exponent - 1.0, where=power)
    return result


def log10(values: Values) -> Values:
    """As Go computes it, from log2: log10(1000) is 2.9999999999999996."""
    return log2(values) * (math.log(2) / math.log(10))


def sgn(values: Values) -> Values:
    """-1, 1, or the value itself where it is zero (of either sign) or NaN."""
    return np.where(values < 0, -1.0, np.where(values > 0, 1.0, values))


def deg(values: Values) -> Values:
    """Degrees of radians."""
    with np.errstate(over="ignore"):
        return values * 180 / math.pi


def rad(values: Values) -> Values:
    """Radians of degrees."""
    with np.errstate(over="ignore"):
        return values * math.pi / 180


def rounded(values: Values, to: Values | None = None) -> Values:
    """The nearest multiple of `to` (float64[K], 1 if not given); halfway goes up."""
    nearest = np.ones(1) if to is None else to
    with np.errstate(all="ignore"):
        inverse = 1.0 / nearest
        return np.floor(values * inverse + 0.5) / inverse


def max_of(left: Values, right: Values) -> Values:
    """Go's math.Max: +Inf wins even over NaN, NaN over the rest, and 0 over -0."""
    result = np.maximum(left, right)
    np.copyto(result, np.inf, where=(left == np.inf) | (right == np.inf))
    with np.errstate(invalid="ignore", over="ignore"):
        np.copyto(result, left + right, where=(left == 0) & (right == 0))
    return result


def min_of(left: Values, right: Values) -> Values:
    """Go's math.Min: -Inf wins even over NaN, NaN over the rest, and -0 over 0."""
    return -max_of(-left, -right)


def clamp(values: Values, low: Values, high: Values) -> Values:
    """Values below `low` or above `high` (float64[K]) moved there.

    Where high < low upstream gives nothing at all: the caller drops those steps.
    """
    return max_of(low, min_of(high, values))


def clamp_min(values: Values, low: Values) -> Values:
    """Values below `low` (float64[K]) moved there."""
    return max_of(low, values)


def clamp_max(values: Values, high: Values) -> Values:
    """Values above `high` (float64[K]) moved there."""
    return min_of(high, values)


def _cosh(values: Values) -> Values:
    """As Go's math.Cosh: exp(x) / 2 for large x, which overflows a little before the true value does."""
    size = np.abs(values)
    return np.asarray(np.where(size > _GO_LARGE, np.exp(size) * 0.5, np.cosh(values)))


def _sinh(values: Values) -> Values:
    """As Go's math.Sinh, see `_cosh`."""
    size = np.abs(values)
    large = np.copysign(np.exp(size) * 0.5, values)
    return np.asarray(np.where(size > _GO_LARGE, large, np.sinh(values)))


_GO_LARGE = 21.0


ELEMENTWISE: dict[str, Callable[..., Values]] = {
    "abs": _quiet(np.abs),
    "acos": _quiet(np.arccos),
    "acosh": _quiet(np.arccosh),
    "asin": _quiet(np.arcsin),
    "asinh": _quiet(np.arcsinh),
    "atan": _quiet(np.arctan),
    "atanh": _quiet(np.arctanh),
    "ceil": _quiet(np.ceil),
    "clamp": clamp,
    "clamp_max": clamp_max,
    "clamp_min": clamp_min,
    "cos": _quiet(np.cos),
    "cosh": _quiet(_cosh),
    "deg": deg,
    "exp": _quiet(np.exp),
    "floor": _quiet(np.floor),
    "ln": ln,
    "log10": log10,
    "log2": log2,
    "rad": rad,
    "round": rounded,
    "sgn": sgn,
    "sin": _quiet(np.sin),
    "sinh": _quiet(_sinh),
    "sqrt": _quiet(np.sqrt),
    "tan": _quiet(np.tan),
    "tanh": _quiet(np.tanh),
}
"""PromQL's name of each to its function: f(values float64[..., K], *params float64[K]) -> float64[..., K]."""
