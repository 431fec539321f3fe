"""Evaluation times, and those of subqueries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zseval.promql.plan.steps import Steps


def test_the_last_step_is_not_after_the_end() -> None:
    steps = Steps.between(0, 100, 30)
    assert steps.times.tolist() == [0, 30, 60, 90]
    assert steps.end_ms == 90


def test_an_end_before_the_start_leaves_no_step() -> None:
    assert Steps.between(10, 0, 5).times.tolist() == []


def test_a_subquery_is_left_open() -> None:
    assert Steps.at(120).aligned_within(60, 30).times.tolist() == [90, 120]


@given(
    st.integers(-1000, 1000), st.integers(1, 5), st.integers(1, 100), st.integers(1, 300), st.integers(1, 60)
)
def test_the_times_of_a_subquery_are_the_multiples_inside_its_range(
    start: int, count: int, interval: int, width: int, step: int
) -> None:
    outer = Steps(start, interval, count)
    expected = [
        time for time in range(-2000, 3000) if start - width < time <= outer.end_ms and time % step == 0
    ]
    assert outer.aligned_within(width, step).times.tolist() == expected


@pytest.mark.parametrize("count", [0, 1, 5])
def test_the_first_step_alone_is_at_most_one(count: int) -> None:
    assert Steps(7, 3, count).first.times.tolist() == [7][:count]
