"""Binary operators, against Python's math where it does not raise, and Go's special cases by hand."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.oracles.go import divide
from tests.promql.kernels.frames import same
from zseval.promql.kernels.arithmetic import ARITHMETIC, COMPARISON

inf, nan = math.inf, math.nan


def _mod(left: float, right: float) -> float:
    return nan if math.isinf(left) or right == 0 else math.fmod(left, right)


SLOW: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": divide,
    "%": _mod,
    "atan2": math.atan2,
}


@pytest.mark.parametrize("op", SLOW)
@given(left=st.floats(), right=st.floats())
def test_an_operator_is_that_of_ieee_754(op: str, left: float, right: float) -> None:
    got = float(ARITHMETIC[op](np.array([left]), np.array([right]))[0])
    assert same(got, SLOW[op](left, right), rel=4e-16)


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (1, nan, 1),
        (nan, 0, 1),
        (-1, inf, 1),
        (-1, -inf, 1),
        (0.5, inf, 0),
        (2, -inf, 0),
        (0, -1, inf),
        (-0.0, -1, -inf),
        (-0.0, -2, inf),
        (-0.0, 3, -0.0),
        (-8, 1 / 3, nan),
        (-inf, 3, -inf),
        (-inf, -3, -0.0),
        (-inf, 0.5, inf),
        (1e200, 2, inf),
        (-2, 3, -8),
    ],
)
def test_a_power_has_gos_special_cases(left: float, right: float, expected: float) -> None:
    got = float(ARITHMETIC["^"](np.array([left], dtype=float), np.array([right], dtype=float))[0])
    assert same(got, expected)
    assert math.isnan(got) or math.copysign(1, got) == math.copysign(1, expected)


@given(st.floats(1e-100, 1e100), st.floats(-3, 3))
def test_a_power_is_that_of_math(left: float, right: float) -> None:
    got = float(ARITHMETIC["^"](np.array([left]), np.array([right]))[0])
    assert same(got, math.pow(left, right), rel=1e-15)


@pytest.mark.parametrize("op", COMPARISON)
@given(left=st.floats(), right=st.floats())
def test_a_comparison_is_pythons(op: str, left: float, right: float) -> None:
    slow = {
        "==": operator.eq,
        "!=": operator.ne,
        "<": operator.lt,
        "<=": operator.le,
        ">": operator.gt,
        ">=": operator.ge,
    }
    assert COMPARISON[op](np.array([left]), np.array([right])).tolist() == [slow[op](left, right)]


def test_a_scalar_row_is_spread_over_the_series() -> None:
    assert ARITHMETIC["-"](np.ones((3, 2)), np.array([1.0, 2.0])).tolist() == [[0, -1]] * 3


@pytest.mark.parametrize("count", [1, 2, 100])
def test_one_exponent_of_a_half_for_many_numbers_is_no_square_root(count: int) -> None:
    bases = np.array([[-0.0, -math.inf, 0.0, math.inf, 4.0, -4.0]] * count)
    found = ARITHMETIC["^"](bases, np.array([[0.5]]))
    assert [math.copysign(1.0, value) for value in found[0, [0, 2]]] == [1.0, 1.0]
    assert found[-1, :5].tolist() == [0.0, math.inf, 0.0, math.inf, 2.0]
    assert np.isnan(found[:, 5]).all()
