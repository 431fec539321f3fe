"""Duration expressions, once range and step of the query are known."""

from __future__ import annotations

import pytest

from zseval.promql.errors import InvalidQueryError
from zseval.promql.plan.durations import duration_ms
from zseval.promql.syntax.ast import DurationCall, DurationExpr, DurationOperation, NumberLiteral, Span

HOUR, STEP = 3_600_000, 30_000


def _number(value: float) -> NumberLiteral:
    return NumberLiteral(value)


def _ms(node: DurationExpr, *, positive: bool = True) -> int:
    return duration_ms(node, HOUR, STEP, positive=positive)


@pytest.mark.parametrize(
    ("op", "left", "right", "expected"),
    [
        ("+", 60, 1, 61_000),
        ("-", 60, 1, 59_000),
        ("*", 2, 1.5, 3_000),
        ("/", 60, 8, 7_500),
        ("%", 7, 4, 3_000),
        ("^", 2, 10, 1_024_000),
    ],
)
def test_arithmetic_is_on_seconds(op: str, left: float, right: float, expected: int) -> None:
    assert _ms(DurationOperation(op, _number(left), _number(right))) == expected


def test_step_and_range_are_those_of_the_query() -> None:
    assert _ms(DurationCall("step", ())) == STEP
    assert _ms(DurationCall("range", ())) == HOUR
    assert _ms(DurationCall("min_of", (_number(5), DurationCall("step", ())))) == 5_000
    assert _ms(DurationCall("max_of", (_number(5), DurationCall("step", ())))) == STEP


def test_an_offset_may_be_negative_and_a_range_may_not() -> None:
    node = DurationOperation("-", None, _number(5), Span(2, 5))
    assert _ms(node, positive=False) == -5_000
    with pytest.raises(InvalidQueryError, match=r"^2:5: duration must be greater than 0$"):
        _ms(node)


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (DurationOperation("/", _number(1), _number(0), Span(1, 4)), "1:4: division by zero"),
        (DurationOperation("%", _number(1), _number(0), Span(1, 4)), "1:4: modulo by zero"),
        (DurationOperation("^", _number(10), _number(400), Span(1, 4)), "1:4: duration is NaN or infinite"),
        (DurationOperation("*", _number(1e10), _number(1e10), Span(1, 4)), "1:4: duration is out of range"),
    ],
)
def test_what_is_no_duration_says_where_it_stands(node: DurationExpr, message: str) -> None:
    with pytest.raises(InvalidQueryError, match=message):
        _ms(node)


def test_a_plain_duration_is_itself() -> None:
    assert duration_ms(15_000, HOUR, STEP, positive=True) == 15_000
