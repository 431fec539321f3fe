"""Natural order of label values."""

from __future__ import annotations

import functools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zseval.promql.exec.sorting import natural_order


@pytest.mark.parametrize(
    "texts",
    [
        ["web1", "web2", "web10"],
        ["", "a", "a1", "a1b", "b"],
        ["1.2.3", "1.10.1", "2"],
        ["9223372036854775807", "9223372036854775808"],
    ],
)
def test_runs_of_digits_compare_as_numbers(texts: list[str]) -> None:
    rotated = [*texts[1:], texts[0]]
    assert sorted(rotated, key=functools.cmp_to_key(natural_order)) == texts


@given(st.text("ab019", max_size=6), st.text("ab019", max_size=6))
def test_the_order_is_antisymmetric(left: str, right: str) -> None:
    assert (natural_order(left, right) < 0) == (natural_order(right, left) > 0)
    assert (natural_order(left, right) == 0) == (left == right)
