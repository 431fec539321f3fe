"""Binary operators on broadcast arrays: arithmetic gives values, a comparison gives a mask.

numpy follows C, and Go's math.Mod, math.Pow and math.Atan2 have C's special cases: what divides by zero,
overflows or is NaN gives the same infinities and NaN. Source: promql/engine.go (scalarBinop).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from zseval.model.arrays import Mask, Values

__all__ = ["ARITHMETIC", "COMPARISON"]

Arithmetic: TypeAlias = Callable[[Values, Values], Values]
Comparison: TypeAlias = Callable[[Values, Values], Mask]


def _quiet(operator: np.ufunc) -> Arithmetic:
    """The operator without numpy's warnings: its infinities and NaN are meant."""

    def apply(left: Values, right: Values) -> Values:
        with np.errstate(all="ignore"):
            result: Values = operator(left, right, dtype=np.float64)
        return result

    return apply


def _power(left: Values, right: Values) -> Values:
    """IEEE 754's pow. numpy takes the square root where one exponent of 0.5 serves for many numbers."""
    with np.errstate(all="ignore"):
        result: Values = np.power(left, right, dtype=np.float64)
        if (right == 0.5).any():
            halves = np.broadcast_to(right == 0.5, result.shape)
            bases = np.broadcast_to(left, result.shape)
            result[halves & (bases == 0)] = 0.0
            result[halves & np.isneginf(bases)] = np.inf
    return result


def _compare(operator: np.ufunc) -> Comparison:
    def apply(left: Values, right: Values) -> Mask:
        return np.asarray(operator(left, right))

    return apply


ARITHMETIC: dict[str, Arithmetic] = {
    "+": _quiet(np.add),
    "-": _quiet(np.subtract),
    "*": _quiet(np.multiply),
    "/": _quiet(np.divide),
    "%": _quiet(np.fmod),
    "^": _power,
    "atan2": _quiet(np.arctan2),
}
"""Operator to function of two float64 arrays that broadcast; the result is fresh."""

COMPARISON: dict[str, Comparison] = {
    "==": _compare(np.equal),
    "!=": _compare(np.not_equal),
    ">": _compare(np.greater),
    "<": _compare(np.less),
    ">=": _compare(np.greater_equal),
    "<=": _compare(np.less_equal),
}
"""Operator to function of two float64 arrays that broadcast: bool, where it holds. NaN equals nothing."""
