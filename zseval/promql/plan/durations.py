"""Duration expressions worked out: `[step() * 2]`, `offset (1h / 2)`, once range and step are known.

Source: promql/durations.go upstream; its errors give the offsets of the expression, not line and column.
"""

from __future__ import annotations

import math

from zseval.promql.errors import InvalidQueryError
from zseval.promql.syntax.ast import Duration, DurationCall, DurationExpr, DurationOperation, NumberLiteral

__all__ = ["duration_ms"]

_LARGEST_SECONDS = 2**63 / 1e9  # Go's time.Duration counts nanoseconds in an int64


def duration_ms(duration: Duration, range_ms: int, step_ms: int, *, positive: bool) -> int:
    """Milliseconds of a duration in a query over `range_ms` with steps of `step_ms`.

    positive: it must be above 0 (a range or a step; an offset need not).
    Raises InvalidQueryError where it is not a usable number.
    """
    if isinstance(duration, int):
        return duration
    seconds = _seconds(duration, range_ms / 1000, step_ms / 1000)
    if math.isnan(seconds) or math.isinf(seconds):
        raise _error(duration, "duration is NaN or infinite")
    if seconds <= 0 and positive:
        raise _error(duration, "duration must be greater than 0")
    if abs(seconds) > _LARGEST_SECONDS:
        raise _error(duration, "duration is out of range")
    return int(seconds * 1000)


def _seconds(node: DurationExpr, query_range: float, step: float) -> float:
    match node:
        case NumberLiteral(value=value):
            return value
        case DurationCall(name="step"):
            return step
        case DurationCall(name="range"):
            return query_range
        case DurationCall(name=name, args=args):
            values = [_seconds(arg, query_range, step) for arg in args]
            return _extreme(name, values)
        case DurationOperation(op=op, lhs=None, rhs=rhs):
            value = _seconds(rhs, query_range, step)
            return -value if op == "-" else value
        case DurationOperation(op=op, lhs=lhs, rhs=rhs):
            assert lhs is not None, "the case above takes signs"
            return _apply(node, op, _seconds(lhs, query_range, step), _seconds(rhs, query_range, step))


def _extreme(name: str, values: list[float]) -> float:
    """min_of and max_of as Go's math.Min and math.Max: NaN wins."""
    if any(map(math.isnan, values)):
        return math.nan
    return min(values) if name == "min_of" else max(values)


def _apply(node: DurationOperation, op: str, left: float, right: float) -> float:
    match op:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "/":
            if right == 0:
                raise _error(node, "division by zero")
            return left / right
        case "%":
            if right == 0:
                raise _error(node, "modulo by zero")
            return math.fmod(left, right) if math.isfinite(left) else math.nan
        case _:
            return _power(left, right)


def _power(left: float, right: float) -> float:
    try:
        value = float(left) ** float(right)
    except (OverflowError, ZeroDivisionError):
        return math.inf
    return math.nan if isinstance(value, complex) else float(value)


def _error(node: DurationExpr, message: str) -> InvalidQueryError:
    return InvalidQueryError(message, (node.span.start, node.span.end))
